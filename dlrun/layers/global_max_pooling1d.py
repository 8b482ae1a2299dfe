"""Largest value of each channel of sequences, [B, steps, C] to [B, C]."""

from __future__ import annotations

from torch import nn

from dlrun.layers._pooling import global_pooling
from dlrun.layers._spec import TensorSpec


def build(inputs: TensorSpec) -> nn.Module:
    """Keras's GlobalMaxPooling1D: [B, steps, C] to [B, C]."""
    return global_pooling("global_max_pooling1d", 1, inputs, "max")
