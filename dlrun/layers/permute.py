"""The axes of each row in another order."""

from __future__ import annotations

from torch import Tensor, nn

from dlrun.errors import ConfigError, Problem
from dlrun.layers._spec import TensorSpec, require_values
from dlrun.types import Count


def build(inputs: TensorSpec, *, dims: list[Count]) -> nn.Module:
    """Keras's Permute: axis i of a row becomes what axis dims[i] was, counted from 1; [2, 1] turns [B, T, C] into
    [B, C, T]. Raises ConfigError unless each axis is named once."""
    shape = require_values(inputs, "permute").shape
    if sorted(dims) != list(range(1, len(shape) + 1)):
        message = f"layer permute expects each axis of {inputs} once, received dims {list(dims)}"
        hint = f"axes count from 1, without the batch: an order of {list(range(1, len(shape) + 1))}"
        raise ConfigError(Problem("architecture", message, hint))
    return Permute(tuple(dims), TensorSpec(tuple(shape[d - 1] for d in dims)))


class Permute(nn.Module):
    """dims: an order of 1 to the number of a row's axes."""

    def __init__(self, dims: tuple[int, ...], output: TensorSpec):
        super().__init__()
        self.dims = dims
        self.output = output

    def forward(self, inputs: Tensor) -> Tensor:
        """[B, *shape] to a view with its axes permuted."""
        return inputs.permute(0, *self.dims)

    def extra_repr(self) -> str:
        """The order, for a printed model."""
        return str(self.dims)
