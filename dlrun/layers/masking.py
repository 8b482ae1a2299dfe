"""Masking: steps that hold one value only are padding, which the layers after this one skip."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dlrun.contracts import Masked
from dlrun.layers._spec import TensorSpec, require_values


def build(inputs: TensorSpec, *, mask_value: float = 0.0) -> nn.Module:
    """Keras's Masking: [B, T, C] to the same, `contracts.Masked`.

    mask_value: a step is padding where all its C values equal it; they become 0. Raises ConfigError on inputs of
    other ranks, and on those that are masked already.
    """
    given = require_values(inputs, "masking", "steps", "channels")
    return Masking(mask_value, TensorSpec(given.shape, masked=True))


class Masking(nn.Module):
    """Has no weights."""

    def __init__(self, mask_value: float, output: TensorSpec):
        super().__init__()
        self.mask_value = mask_value
        self.output = output

    def forward(self, inputs: Tensor) -> Masked:
        """[B, T, C] to the same with a mask [B, T]."""
        real = (inputs != self.mask_value).any(-1)
        return Masked(torch.where(real.unsqueeze(-1), inputs, 0.0), real)

    def extra_repr(self) -> str:
        """The value of padding, for a printed model."""
        return f"mask_value={self.mask_value}"
