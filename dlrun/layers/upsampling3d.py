"""Each place of volumes becomes several, [B, depth, height, width, C]."""

from __future__ import annotations

from torch import nn

from dlrun.layers._spec import TensorSpec
from dlrun.layers._upsampling import upsampling
from dlrun.layers._windows import PerAxis


def build(inputs: TensorSpec, *, size: PerAxis = 2) -> nn.Module:
    """Keras's UpSampling3D: [B, depth, height, width, C] to the same with larger sizes.

    size: the factor, for all axes or for each.
    """
    return upsampling("upsampling3d", 3, inputs, size)
