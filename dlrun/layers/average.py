"""The mean of several inputs, element by element."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dlrun.layers._merging import element_by_element
from dlrun.layers._spec import TensorSpec


def build(inputs: list[TensorSpec]) -> nn.Module:
    """Keras's Average: inputs [B, *shape] to one of the same shape.

    Raises ConfigError unless they are at least two, of one rank whose sizes are equal or 1.
    """
    total = element_by_element(inputs, "average", torch.add)
    return Average(total)


class Average(nn.Module):
    """total: the layer that sums."""

    def __init__(self, total: nn.Module):
        super().__init__()
        self.total = total
        self.output = total.output

    def forward(self, *inputs: Tensor) -> Tensor:
        """As `_merging.Merge`."""
        return self.total(*inputs) / len(inputs)
