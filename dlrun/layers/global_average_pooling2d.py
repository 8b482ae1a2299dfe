"""Mean of each channel of pictures, [B, height, width, C] to [B, C]."""

from __future__ import annotations

from torch import nn

from dlrun.layers._pooling import global_pooling
from dlrun.layers._spec import TensorSpec


def build(inputs: TensorSpec) -> nn.Module:
    """Keras's GlobalAveragePooling2D: [B, height, width, C] to [B, C]."""
    return global_pooling("global_average_pooling2d", 2, inputs, "average")
