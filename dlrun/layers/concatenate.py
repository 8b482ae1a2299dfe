"""Several inputs side by side along an axis."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dlrun.errors import ConfigError, Problem
from dlrun.layers._axes import from_end
from dlrun.layers._merging import several, shapes
from dlrun.layers._spec import TensorSpec


def build(inputs: list[TensorSpec], *, axis: int = -1) -> nn.Module:
    """Keras's Concatenate (book section 7.1.2): inputs that differ along `axis` alone to one with the sum of their
    sizes there.

    axis: as Keras counts, 0 is the batch. Raises ConfigError unless they are at least two, equal along all other
    axes.
    """
    given = several(inputs, "concatenate")
    found = from_end(axis, given[0], "concatenate")
    others = {(*one.shape[:found], None, *one.shape[found:][1:]) for one in given}
    if len(others) > 1 or len({len(one.shape) for one in given}) > 1:
        message = f"concatenate needs inputs that differ along axis {axis} alone, received {shapes(given)}"
        raise ConfigError(Problem("architecture", message, "bring them to one shape first, or name another axis"))
    shape = list(given[0].shape)
    shape[found] = sum(one.shape[found] for one in given)
    return Concatenate(found, TensorSpec(tuple(shape)))


class Concatenate(nn.Module):
    """axis: counted from the end, below 0."""

    def __init__(self, axis: int, output: TensorSpec):
        super().__init__()
        self.axis = axis
        self.output = output

    def forward(self, *inputs: Tensor) -> Tensor:
        """Each [B, *shape]; returns them as one."""
        return torch.cat(inputs, self.axis)

    def extra_repr(self) -> str:
        """The axis, for a printed model."""
        return f"axis={self.axis}"
