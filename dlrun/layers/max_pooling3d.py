"""Largest value of each window and channel of volumes."""

from __future__ import annotations

from torch import nn

from dlrun.layers._pooling import pooling
from dlrun.layers._spec import TensorSpec
from dlrun.layers._windows import Padding, PerAxis


def build(
    inputs: TensorSpec,
    *,
    pool_size: PerAxis = 2,
    strides: PerAxis | None = None,
    padding: Padding = "valid",
) -> nn.Module:
    """Keras's MaxPooling3D: [B, depth, height, width, C] to the same with smaller sizes.

    strides: pool_size if none are given. Places beyond the edge are never the largest. Raises ConfigError where
    no window fits.
    """
    return pooling(
        "max_pooling3d",
        3,
        inputs,
        "max",
        pool_size=pool_size,
        strides=strides,
        padding=padding,
    )
