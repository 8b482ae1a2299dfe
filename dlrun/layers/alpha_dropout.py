"""Dropout for networks of selu units: mean and variance stay as they are."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dlrun.layers._elementwise import keeps_mask
from dlrun.layers._noise import is_zero, kept, new_key
from dlrun.layers._settings import narrow
from dlrun.layers._spec import TensorSpec, require_values
from dlrun.types import Rate

LOWEST = -1.7580993408473766
"""What selu tends to far below 0: minus its alpha times its scale."""


def build(inputs: TensorSpec, *, rate: Rate) -> nn.Module:
    """Keras's AlphaDropout: [B, *shape] to the same shape, unchanged in evaluation.

    rate: share of the numbers that become selu's lowest value; then all are scaled and moved so that inputs of mean
    0 and variance 1 keep both. Raises ConfigError on multi-hot inputs and tokens.
    """
    return AlphaDropout(rate, require_values(inputs, "alpha_dropout", masked=True))


class AlphaDropout(nn.Module):
    """key, settings: as in `dropout.Dropout`."""

    settings = ("rate",)
    key: Tensor
    rate: float | Tensor

    def __init__(self, rate: float, output: TensorSpec):
        super().__init__()
        self.rate = rate
        self.output = output
        self.register_buffer("key", new_key())

    @keeps_mask
    def forward(self, inputs: Tensor) -> Tensor:
        """[B, *shape] to the same."""
        rate = self.rate
        if not self.training or is_zero(rate):
            return inputs
        keep = kept(self.key, rate, inputs.numel()).view(inputs.shape)
        factor = ((1.0 - rate) * (1.0 + rate * LOWEST**2)) ** -0.5
        offset = -factor * LOWEST * rate
        return torch.where(keep, inputs, LOWEST) * narrow(factor, inputs) + narrow(offset, inputs)

    def extra_repr(self) -> str:
        """The rate, for a printed model."""
        return f"rate={self.rate}"
