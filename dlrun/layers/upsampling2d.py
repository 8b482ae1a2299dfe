"""Each place of pictures becomes several, [B, height, width, C]."""

from __future__ import annotations

from torch import nn

from dlrun.layers._spec import TensorSpec
from dlrun.layers._upsampling import Interpolation, upsampling
from dlrun.layers._windows import PerAxis


def build(inputs: TensorSpec, *, size: PerAxis = 2, interpolation: Interpolation = "nearest") -> nn.Module:
    """Keras's UpSampling2D: [B, height, width, C] to the same with larger sizes.

    size: the factor, for all axes or for each. interpolation: `nearest` repeats each place, `bilinear`
    interpolates between the centres of places.
    """
    return upsampling("upsampling2d", 2, inputs, size, interpolation)
