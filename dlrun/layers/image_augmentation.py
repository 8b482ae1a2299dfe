"""In training each picture is turned, shifted, sheared, zoomed and flipped at random."""

from __future__ import annotations

from typing import Any, Literal

from torch import nn

from dlrun.errors import ConfigError, Problem
from dlrun.layers._augmentation import FillMode, ImageAugmentation, Interpolation
from dlrun.layers._spec import TensorSpec, require_values
from dlrun.types import NonNegative, Positive, Rate


def build(
    inputs: TensorSpec,
    *,
    rotation_range: NonNegative = 0.0,
    width_shift_range: Rate = 0.0,
    height_shift_range: Rate = 0.0,
    shear_range: NonNegative = 0.0,
    shear_unit: Literal["degrees", "radians"] = "degrees",
    zoom_range: Rate | list[Positive] = 0.0,
    horizontal_flip: bool = False,
    vertical_flip: bool = False,
    fill_mode: FillMode = "nearest",
    cval: float = 0.0,
    interpolation: Interpolation = "bilinear",
) -> nn.Module:
    """Keras's ImageDataGenerator (book section 5.2.5, listing 5-11): [B, height, width, C] to the same shape, unchanged
    in evaluation.

    Each picture is drawn for anew: an angle within ± rotation_range degrees; shifts within ± those shares of its width
    and height; a shear within ± shear_range, which Keras of the book's time took for radians and later for degrees;
    factors of its height and of its width, each within 1 ± zoom_range or between the two numbers given, below 1
    enlarging; flips left to right and upside down with a chance of one half. All but the flips are one affine map about
    the centre, rotation · shift · shear · zoom, from places of the result to places of the picture; flips follow.
    fill_mode: what lies beyond the edges: the `nearest` pixel, its mirror image (`reflect`), or cval, in the unit of
    the inputs (`constant`). interpolation: between pixels; Keras of the book's time took the `nearest`. Raises
    ConfigError on inputs that are no pictures.
    """
    output = require_values(inputs, "image_augmentation", "height", "width", "channels")
    low, high = zoom_range if isinstance(zoom_range, list) and len(zoom_range) == 2 else (0.0, 0.0)
    if not isinstance(zoom_range, list):
        low, high = 1.0 - zoom_range, 1.0 + zoom_range
    if not 0 < low <= high:
        message = f"layer image_augmentation expects zoom_range to be a share or [low, high], received {zoom_range}"
        raise ConfigError(Problem("architecture", message, "0.2 is the same as [0.8, 1.2]"))
    ranges: dict[str, Any] = {
        "rotation_range": rotation_range,
        "width_shift_range": width_shift_range,
        "height_shift_range": height_shift_range,
        "shear_range": shear_range,
        "zoom_low": low,
        "zoom_high": high,
    }
    flips = (horizontal_flip, vertical_flip)
    return ImageAugmentation(ranges, shear_unit, flips, fill_mode, cval, interpolation, output)
