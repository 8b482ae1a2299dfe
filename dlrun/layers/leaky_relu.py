"""Rectified linear units with a small slope below 0."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from dlrun.layers._elementwise import keeps_mask
from dlrun.layers._spec import TensorSpec, require_values
from dlrun.types import NonNegative


def build(inputs: TensorSpec, *, alpha: NonNegative = 0.3) -> nn.Module:
    """Keras's LeakyReLU (book section 8.5): x where x >= 0, alpha * x below; [B, *shape] to the same shape.

    Raises ConfigError on multi-hot inputs and tokens.
    """
    return LeakyReLU(alpha, require_values(inputs, "leaky_relu", masked=True))


class LeakyReLU(nn.Module):
    """alpha: slope below 0."""

    def __init__(self, alpha: float, output: TensorSpec):
        super().__init__()
        self.alpha = alpha
        self.output = output

    @keeps_mask
    def forward(self, inputs: Tensor) -> Tensor:
        """[B, *shape] to the same."""
        return F.leaky_relu(inputs, self.alpha)

    def extra_repr(self) -> str:
        """The slope, for a printed model."""
        return f"alpha={self.alpha}"
