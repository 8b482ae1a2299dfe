"""Edges of sequences cut off, [B, steps, C]."""

from __future__ import annotations

from torch import nn

from dlrun.layers._margins import SequenceMargins, crop
from dlrun.layers._spec import TensorSpec


def build(inputs: TensorSpec, *, cropping: SequenceMargins = 1) -> nn.Module:
    """Keras's Cropping1D: [B, steps, C] to the same with smaller sizes.

    cropping: one number for both ends, or [beginning, end]. Raises ConfigError where nothing is left.
    """
    return crop("cropping1d", 1, inputs, cropping)
