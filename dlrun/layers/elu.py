"""Exponential linear units."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from dlrun.layers._elementwise import keeps_mask
from dlrun.layers._spec import TensorSpec, require_values
from dlrun.types import NonNegative


def build(inputs: TensorSpec, *, alpha: NonNegative = 1.0) -> nn.Module:
    """Keras's ELU: x where x > 0, alpha * (exp(x) - 1) below; [B, *shape] to the same shape.

    Raises ConfigError on multi-hot inputs and tokens.
    """
    return ELU(alpha, require_values(inputs, "elu", masked=True))


class ELU(nn.Module):
    """alpha: minus the limit far below 0."""

    def __init__(self, alpha: float, output: TensorSpec):
        super().__init__()
        self.alpha = alpha
        self.output = output

    @keeps_mask
    def forward(self, inputs: Tensor) -> Tensor:
        """[B, *shape] to the same."""
        return F.elu(inputs, self.alpha)

    def extra_repr(self) -> str:
        """The limit, for a printed model."""
        return f"alpha={self.alpha}"
