"""Axes as Keras counts them: 0 is the batch, 1 the first of a row's, -1 the last."""

from __future__ import annotations

from dlrun.errors import ConfigError, Problem
from dlrun.layers._spec import TensorSpec


def from_end(axis: int, inputs: TensorSpec, layer: str) -> int:
    """The same axis counted from the end, below 0. Raises ConfigError for the batch axis and for one that isn't
    there."""
    rank = len(inputs.shape) + 1
    found = axis - rank if axis > 0 else axis
    if not -rank < found < 0:
        message = f"layer {layer} has no axis {axis} in its input {inputs}"
        valid = (
            f"use 1 to {rank - 1}, or -1 for the last; 0 is the batch" if rank > 1 else "put a reshape layer before it"
        )
        raise ConfigError(Problem("architecture", message, valid))
    return found


def distinct_from_end(axes: list[int], inputs: TensorSpec, layer: str) -> list[int]:
    """Several of them, in order. Raises ConfigError also where none or one twice is given."""
    found = sorted(from_end(axis, inputs, layer) for axis in axes)
    if not found or len(set(found)) < len(found):
        message = f"layer {layer} expects different axes, at least one, received {list(axes)}"
        raise ConfigError(Problem("architecture", message, "name each axis once"))
    return found
