"""Each number times a factor, plus another."""

from __future__ import annotations

from torch import Tensor, nn

from dlrun.layers._elementwise import keeps_mask
from dlrun.layers._spec import TensorSpec, require_values


def build(inputs: TensorSpec, *, scale: float, offset: float = 0.0) -> nn.Module:
    """Keras's Rescaling: `inputs * scale + offset`, [B, *shape] to the same shape.

    From 0..1 to -1..1, which some pretrained convnets expect: scale 2, offset -1. Raises ConfigError on multi-hot
    inputs and tokens.
    """
    return Rescaling(scale, offset, require_values(inputs, "rescaling", masked=True))


class Rescaling(nn.Module):
    """scale, offset: the same for all numbers."""

    def __init__(self, scale: float, offset: float, output: TensorSpec):
        super().__init__()
        self.scale, self.offset = scale, offset
        self.output = output

    @keeps_mask
    def forward(self, inputs: Tensor) -> Tensor:
        """[B, *shape] to the same."""
        scaled = inputs * self.scale
        return scaled.add_(self.offset) if self.offset else scaled

    def extra_repr(self) -> str:
        """Both numbers, for a printed model."""
        return f"scale={self.scale}, offset={self.offset}"
