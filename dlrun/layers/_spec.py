"""What flows between two layers: a shape without the batch axis, and how it is encoded."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from dlrun.contracts import InputSpec
from dlrun.errors import ConfigError, Problem


@dataclass(frozen=True)
class TensorSpec:
    """One row of a layer's input or output.

    shape: without the batch axis. encoding: as in `contracts.InputSpec`: `values` is a float tensor
    [B, *shape], `multi_hot` stands for 0/1 vectors of `shape` and travels as `contracts.Bags`.
    """

    shape: tuple[int, ...]
    encoding: Literal["values", "multi_hot"] = "values"

    @classmethod
    def of(cls, inputs: InputSpec) -> TensorSpec:
        """What a named input of the data looks like to the first layer."""
        return cls(inputs.shape, inputs.encoding)

    @property
    def size(self) -> int:
        """Numbers in one row."""
        return math.prod(self.shape)


def require_values(inputs: TensorSpec, layer: str) -> TensorSpec:
    """`inputs`, or a ConfigError where they are multi-hot: only Dense can read those."""
    if inputs.encoding == "multi_hot":
        message = f"layer {layer} can't read a multi-hot input of shape {inputs.shape}"
        raise ConfigError(Problem("architecture", message, "put a dense layer before it"))
    return inputs
