"""Each place of sequences becomes several, [B, steps, C]."""

from __future__ import annotations

from torch import nn

from dlrun.layers._spec import TensorSpec
from dlrun.layers._upsampling import upsampling
from dlrun.layers._windows import PerAxis


def build(inputs: TensorSpec, *, size: PerAxis = 2) -> nn.Module:
    """Keras's UpSampling1D: [B, steps, C] to the same with larger sizes.

    size: the factor, for all axes or for each.
    """
    return upsampling("upsampling1d", 1, inputs, size)
