"""Dropout: in training a share of the values is set to 0 and the rest scaled up."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dlrun.contracts import Masked
from dlrun.layers._settings import narrow
from dlrun.layers._spec import TensorSpec, require_values
from dlrun.types import Rate

WORD = 2**32 - 1
KEY = 2**62 - 1
STRIDE = 0x1E3779B97F4A7C15
"""Odd and near 2**61: successive keys differ in the upper and in the lower word."""


def build(inputs: TensorSpec, *, rate: Rate) -> nn.Module:
    """Keras's Dropout (book section 4.4.3): [B, *shape] to the same shape, unchanged in evaluation.

    rate: share of the values that become 0; the others are divided by 1 - rate. Raises ConfigError on
    multi-hot inputs.
    """
    return Dropout(rate, require_values(inputs, "dropout", masked=True))


class Dropout(nn.Module):
    """The mask is a hash of (key, position in the batch), and the key moves on with every training batch.

    Masks therefore do not depend on the device, on compilation or on other models in a stack, rows of
    padding at the end of a batch change nothing, and a restored `key` (int64 scalar, a buffer) continues
    exactly. settings: as in `stack.Stack`; the rate is then a float64 scalar.
    """

    settings = ("rate",)
    key: Tensor
    rate: float | Tensor

    def __init__(self, rate: float, output: TensorSpec):
        super().__init__()
        self.rate = rate
        self.output = output
        self.register_buffer("key", torch.randint(KEY + 1, ()))

    def forward(self, inputs: Tensor | Masked) -> Tensor | Masked:
        """[B, *shape] to [B, *shape]; a mask on steps is passed on."""
        if isinstance(inputs, Masked):
            return Masked(self._dropped(inputs.values), inputs.mask)
        return self._dropped(inputs)

    def _dropped(self, inputs: Tensor) -> Tensor:
        rate = self.rate
        if not self.training or (not isinstance(rate, Tensor) and rate == 0.0):
            return inputs
        factors = scaled_mask(self.key, inputs.shape, rate, inputs)
        self.key.add_(STRIDE).bitwise_and_(KEY)
        return inputs * factors

    def extra_repr(self) -> str:
        """The rate, for a printed model."""
        return f"rate={self.rate}"


def scaled_mask(key: Tensor, shape: Sequence[int], rate: float | Tensor, like: Tensor) -> Tensor:
    """Factors 0 and 1 / (1 - rate) of `shape`, in the dtype of `like`; key: as in `hash_words`."""
    dropped = rate * 2**32
    dropped = dropped.round().long() if isinstance(dropped, Tensor) else round(dropped)
    keep = hash_words(key, math.prod(shape)) >= dropped
    return keep.view(shape).to(like.dtype).mul_(narrow(1.0 / (1.0 - rate), like))


def hash_words(key: Tensor, count: int) -> Tensor:
    """Words 0 <= h < 2**32, int64 [count], one per position; key: int64 scalar in 0 .. 2**62 - 1.

    The mixing is a well-known 32-bit finaliser (xor-shifts 16, 15, 15 with two odd multipliers below 2**31,
    so that no product leaves int64). Half of the key enters before it and half in its middle: keys that meet
    in one half still give unrelated words.
    """
    # Out of place only where a tensor of another model's axis may come in: the first line.
    x = torch.arange(count, device=key.device) + (key & WORD)
    x = (x ^ (x >> 16)).mul_(0x21F0AAAD).bitwise_and_(WORD).bitwise_xor_(key >> 32)
    x = (x ^ (x >> 15)).mul_(0x735A2D97).bitwise_and_(WORD)
    return x ^ (x >> 15)
