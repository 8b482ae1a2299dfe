"""Zeros around sequences, [B, steps, C]."""

from __future__ import annotations

from torch import nn

from dlrun.layers._margins import SequenceMargins, zero_padding
from dlrun.layers._spec import TensorSpec


def build(inputs: TensorSpec, *, padding: SequenceMargins = 1) -> nn.Module:
    """Keras's ZeroPadding1D: [B, steps, C] to the same with larger sizes.

    padding: one number for both ends, or [beginning, end].
    """
    return zero_padding("zero_padding1d", 1, inputs, padding)
