"""Affine maps of pictures with random numbers of a layer's own, on the device that the pictures are on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlrun.layers._noise import is_zero, new_key, words
from dlrun.layers._spec import TensorSpec

FillMode = Literal["nearest", "reflect", "constant"]
Interpolation = Literal["nearest", "bilinear"]

DRAWS = 8
"""Random numbers of each picture: angle, shifts down and to the right, shear, zooms of height and width, two flips."""

PADDING = {"nearest": "border", "reflect": "reflection", "constant": "border"}


class ImageAugmentation(nn.Module):
    """key, settings: as in `dropout.Dropout`. A picture's draws depend on its place in the batch and on nothing else.

    ranges: the attributes named in `settings`, see `image_augmentation.build`; zoom_low, zoom_high: of the factors.
    flips: whether pictures may be flipped left to right, and upside down.
    """

    settings = ("rotation_range", "width_shift_range", "height_shift_range", "shear_range", "zoom_low", "zoom_high")
    key: Tensor
    rotation_range: float | Tensor
    width_shift_range: float | Tensor
    height_shift_range: float | Tensor
    shear_range: float | Tensor
    zoom_low: float | Tensor
    zoom_high: float | Tensor

    def __init__(
        self,
        ranges: Mapping[str, float],
        shear_unit: Literal["degrees", "radians"],
        flips: tuple[bool, bool],
        fill_mode: FillMode,
        cval: float,
        interpolation: Interpolation,
        output: TensorSpec,
    ):
        super().__init__()
        for name in self.settings:
            setattr(self, name, ranges[name])
        self.shear_unit, self.flips = shear_unit, flips
        self.fill_mode, self.cval, self.interpolation = fill_mode, cval, interpolation
        self.output = output
        self.register_buffer("key", new_key())

    def forward(self, inputs: Tensor) -> Tensor:
        """[B, height, width, C] to the same."""
        if not self.training or self._idle():
            return inputs
        rows = inputs.shape[0]
        wide = torch.float32 if inputs.device.type == "mps" else torch.float64
        drawn = (words(self.key, rows * DRAWS).view(rows, DRAWS).to(wide) + 0.5) * 2.0**-32
        angle, down, right, shear, *zooms, leftright, updown = drawn.unbind(1)
        low, high = self.zoom_low, self.zoom_high
        maps = affine(
            _between(angle, self.rotation_range) * (math.pi / 180),
            _between(down, self.height_shift_range) * inputs.shape[1],
            _between(right, self.width_shift_range) * inputs.shape[2],
            _between(shear, self.shear_range) * (math.pi / 180 if self.shear_unit == "degrees" else 1.0),
            *(low + zoom * (high - low) for zoom in zooms),
        )
        # What is flipped about the centre was at the other side of it.
        horizontal, vertical = self.flips
        signs = (_sign(updown, vertical), _sign(leftright, horizontal), torch.ones_like(angle))
        maps = maps * torch.stack(signs, 1)[:, None]
        return transformed(inputs, maps, self.fill_mode, self.cval, self.interpolation)

    def _idle(self) -> bool:
        """Whether no picture can change."""
        still = all(is_zero(getattr(self, name)) for name in self.settings[:4])
        whole = all(is_zero(zoom - 1.0) for zoom in (self.zoom_low, self.zoom_high))
        return still and whole and not any(self.flips)

    def extra_repr(self) -> str:
        """What is not as in a layer that does nothing, for a printed model."""
        ranges = {name: getattr(self, name) for name in self.settings}
        return ", ".join(f"{name}={value}" for name, value in ranges.items()) + f", flips={self.flips}"


def affine(angle: Tensor, down: Tensor, right: Tensor, shear: Tensor, zoom_y: Tensor, zoom_x: Tensor) -> Tensor:
    """Maps [B, 2, 3] from (row, column, 1) of the result to (row, column) of the picture, both counted from the centre.

    Keras's rotation · shift · shear · zoom, multiplied out. angle, shear: radians [B]. down, right: shifts in pixels
    [B]. zooms: factors [B].
    """
    cos, sin = angle.cos(), angle.sin()
    across_cos, across_sin = (angle + shear).cos(), (angle + shear).sin()
    first = (cos * zoom_y, -across_sin * zoom_x, cos * down - sin * right)
    second = (sin * zoom_y, across_cos * zoom_x, sin * down + cos * right)
    return torch.stack((torch.stack(first, 1), torch.stack(second, 1)), 1)


def transformed(
    pictures: Tensor, maps: Tensor, fill_mode: FillMode, cval: float, interpolation: Interpolation
) -> Tensor:
    """[B, height, width, C] by maps as `affine` gives them, to the same shape."""
    height, width = pictures.shape[1:3]
    y, x = _centres(height, pictures)[:, None], _centres(width, pictures)
    places = []
    for size, row in zip((height, width), maps.to(pictures.dtype)[..., None, None].unbind(1), strict=True):
        down, right, shift = row.unbind(1)
        # In this order all but the last sum are of lines, not of pictures.
        places.append((down * (height / size) * y + shift * (2 / size)) + right * (width / size) * x)
    grid = torch.stack(places[::-1], -1)
    channels_first = pictures.permute(0, 3, 1, 2).contiguous()  # in which torch is faster, copies included
    found = F.grid_sample(channels_first, grid, interpolation, PADDING[fill_mode], align_corners=False)
    if fill_mode == "constant":
        below, beside = (at.abs() > (size - 1) / size + EDGE for size, at in zip((height, width), places, strict=True))
        found = torch.where((below | beside)[:, None], cval, found)
    return found.permute(0, 2, 3, 1).contiguous()


EDGE = 1e-6
"""In units of half a picture: so far beyond the centre of the last pixel is taken for rounding."""


def _centres(count: int, like: Tensor) -> Tensor:
    """Places of the pixels along an axis as `grid_sample` counts them: -1 and 1 are the edges."""
    return (torch.arange(count, dtype=like.dtype, device=like.device) * 2 + (1 - count)) / count


def _between(drawn: Tensor, limit: float | Tensor) -> Tensor:
    """From within 0 to 1 to within ± limit."""
    return (2.0 * drawn - 1.0) * limit


def _sign(drawn: Tensor, flips: bool) -> Tensor:
    """-1 for what is flipped, else 1: [B]."""
    return (drawn < 0.5).to(drawn.dtype) * -2.0 + 1.0 if flips else torch.ones_like(drawn)
