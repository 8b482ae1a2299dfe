"""Dropout of whole channels of pictures."""

from __future__ import annotations

from torch import nn

from dlrun.layers._spatial_dropout import SpatialDropout
from dlrun.layers._spec import TensorSpec, require_values
from dlrun.types import Rate


def build(inputs: TensorSpec, *, rate: Rate) -> nn.Module:
    """Keras's SpatialDropout2D: [B, H, W, C] to the same shape, unchanged in evaluation.

    rate: share of the channels that become 0 at all places; the others are divided by 1 - rate. Raises ConfigError
    on anything but pictures.
    """
    return SpatialDropout(rate, require_values(inputs, "spatial_dropout2d", "height", "width", "channels"))
