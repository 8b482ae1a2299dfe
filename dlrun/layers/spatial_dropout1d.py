"""Dropout of whole channels of sequences."""

from __future__ import annotations

from torch import nn

from dlrun.layers._spatial_dropout import SpatialDropout
from dlrun.layers._spec import TensorSpec, require_values
from dlrun.types import Rate


def build(inputs: TensorSpec, *, rate: Rate) -> nn.Module:
    """Keras's SpatialDropout1D: [B, T, C] to the same shape, unchanged in evaluation.

    rate: share of the channels that become 0 at all steps; the others are divided by 1 - rate. Raises ConfigError
    on anything but sequences.
    """
    return SpatialDropout(rate, require_values(inputs, "spatial_dropout1d", "steps", "channels", masked=True))
