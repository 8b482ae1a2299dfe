"""Largest value of each channel of volumes, [B, depth, height, width, C] to [B, C]."""

from __future__ import annotations

from torch import nn

from dlrun.layers._pooling import global_pooling
from dlrun.layers._spec import TensorSpec


def build(inputs: TensorSpec) -> nn.Module:
    """Keras's GlobalMaxPooling3D: [B, depth, height, width, C] to [B, C]."""
    return global_pooling("global_max_pooling3d", 3, inputs, "max")
