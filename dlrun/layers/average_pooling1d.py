"""Mean of each window and channel of sequences."""

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
    """Keras's AveragePooling1D: [B, steps, C] to the same with smaller sizes.

    strides: pool_size if none are given. Places beyond the edge do not count in the mean. Raises ConfigError
    where no window fits.
    """
    return pooling(
        "average_pooling1d",
        1,
        inputs,
        "average",
        pool_size=pool_size,
        strides=strides,
        padding=padding,
    )
