"""Edges of pictures cut off, [B, height, width, C]."""

from __future__ import annotations

from torch import nn

from dlrun.layers._margins import Margins, crop
from dlrun.layers._spec import TensorSpec


def build(inputs: TensorSpec, *, cropping: Margins = 0) -> nn.Module:
    """Keras's Cropping2D: [B, height, width, C] to the same with smaller sizes.

    cropping: one number for all edges, one for both edges of each axis, or [beginning, end] for each axis. Raises
    ConfigError where nothing is left.
    """
    return crop("cropping2d", 2, inputs, cropping)
