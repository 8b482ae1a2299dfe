"""Exponentials that sum to 1 along an axis."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dlrun.layers._axes import from_end
from dlrun.layers._elementwise import keeps_mask
from dlrun.layers._spec import TensorSpec, require_values


def build(inputs: TensorSpec, *, axis: int = -1) -> nn.Module:
    """Keras's Softmax: [B, *shape] to the same shape, each line along `axis` a distribution.

    axis: as Keras counts, 0 is the batch. Raises ConfigError on multi-hot inputs, tokens, and along the steps of a
    masked sequence, whose padding would have a share.
    """
    found = from_end(axis, inputs, "softmax") if inputs.encoding == "values" else -1
    require_values(inputs, "softmax", masked=found > -len(inputs.shape))
    return Softmax(found, inputs)


class Softmax(nn.Module):
    """axis: counted from the end, below 0."""

    def __init__(self, axis: int, output: TensorSpec):
        super().__init__()
        self.axis = axis
        self.output = output

    @keeps_mask
    def forward(self, inputs: Tensor) -> Tensor:
        """[B, *shape] to the same."""
        return torch.softmax(inputs, self.axis)

    def extra_repr(self) -> str:
        """The axis, for a printed model."""
        return f"axis={self.axis}"
