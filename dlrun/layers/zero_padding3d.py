"""Zeros around volumes, [B, depth, height, width, C]."""

from __future__ import annotations

from torch import nn

from dlrun.layers._margins import Margins, zero_padding
from dlrun.layers._spec import TensorSpec


def build(inputs: TensorSpec, *, padding: Margins = 1) -> nn.Module:
    """Keras's ZeroPadding3D: [B, depth, height, width, C] to the same with larger sizes.

    padding: one number for all edges, one for both edges of each axis, or [beginning, end] for each axis.
    """
    return zero_padding("zero_padding3d", 3, inputs, padding)
