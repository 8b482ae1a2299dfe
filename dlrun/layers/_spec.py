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

    shape: without the batch axis; pictures and sequences have their channels last. encoding: as in
    `contracts.InputSpec`: `values` is a float tensor [B, *shape], `multi_hot` stands for 0/1 vectors of `shape` and
    travels as `contracts.Bags`, `tokens` is an int64 tensor [B, *shape] of numbers below `vocabulary`.
    masked: values [B, T, ...] that travel as `contracts.Masked`.
    """

    shape: tuple[int, ...]
    encoding: Literal["values", "multi_hot", "tokens"] = "values"
    vocabulary: int = 0
    masked: bool = False

    @classmethod
    def of(cls, inputs: InputSpec) -> TensorSpec:
        """What a named input of the data looks like to the first layer."""
        return cls(inputs.shape, inputs.encoding, inputs.vocabulary)

    @property
    def size(self) -> int:
        """Numbers in one row."""
        return math.prod(self.shape)

    def __str__(self) -> str:
        kind = {"values": "", "multi_hot": "multi-hot ", "tokens": "tokens "}[self.encoding]
        return f"{kind}({', '.join(map(str, self.shape))}{',' if len(self.shape) == 1 else ''})"


def require_values(inputs: TensorSpec, layer: str, *axes: str, masked: bool = False) -> TensorSpec:
    """`inputs`, or a ConfigError where the layer can't read them.

    axes: names of the axes that it needs, where it needs so many and no others, as `"height", "width", "channels"`.
    masked: whether it can read `contracts.Masked`.
    """
    if inputs.encoding == "multi_hot":
        message = f"layer {layer} can't read a multi-hot input of shape {inputs.shape}"
        raise ConfigError(Problem("architecture", message, "put a dense layer before it"))
    if inputs.encoding == "tokens":
        message = f"layer {layer} can't read tokens of shape {inputs.shape}"
        raise ConfigError(Problem("architecture", message, "put an embedding layer before it"))
    if inputs.masked and not masked:
        message = f"layer {layer} can't read a masked sequence of shape {inputs.shape}"
        raise ConfigError(Problem("architecture", message, "set mask_zero=false in the embedding before it"))
    if axes and len(inputs.shape) != len(axes):
        message = f"layer {layer} expects ({', '.join(axes)}), received {inputs}"
        raise ConfigError(Problem("architecture", message, "put a reshape layer before it"))
    return inputs
