"""Each row in another shape, with the same numbers in the same order."""

from __future__ import annotations

import math
from typing import Literal

from torch import Tensor, nn

from dlrun.errors import ConfigError, Problem
from dlrun.layers._spec import TensorSpec, require_values
from dlrun.types import Count


def build(inputs: TensorSpec, *, target_shape: list[Count | Literal[-1]]) -> nn.Module:
    """Keras's Reshape: [B, *shape] to [B, *target_shape].

    target_shape: without the batch axis; one size may be -1, which stands for whatever is left over. Raises
    ConfigError where the numbers of a row do not fill it.
    """
    size = require_values(inputs, "reshape").size
    shape = tuple(target_shape)
    if shape.count(-1) > 1:
        message = f"layer reshape expects at most one -1, received target_shape {list(shape)}"
        raise ConfigError(Problem("architecture", message, "write the other sizes out"))
    known = math.prod(n for n in shape if n != -1)
    if size % known or (-1 not in shape and size != known):
        message = f"layer reshape can't give {inputs}, {size} numbers, the shape {list(shape)}"
        raise ConfigError(Problem("architecture", message, f"choose sizes whose product is {size}; one may be -1"))
    return Reshape(shape, TensorSpec(tuple(size // known if n == -1 else n for n in shape)))


class Reshape(nn.Module):
    """target_shape: of one row, with at most one -1, which inputs of other sizes fill in their own way."""

    def __init__(self, target_shape: tuple[int, ...], output: TensorSpec):
        super().__init__()
        self.target_shape = target_shape
        self.output = output

    def forward(self, inputs: Tensor) -> Tensor:
        """[B, *shape] to [B, *target_shape]."""
        return inputs.reshape(inputs.shape[0], *self.target_shape)

    def extra_repr(self) -> str:
        """The shape, for a printed model."""
        return str(self.target_shape)
