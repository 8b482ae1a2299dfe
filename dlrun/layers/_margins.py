"""Zeros around sequences, pictures and volumes, or their edges cut off."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from dlrun.errors import ConfigError, Problem
from dlrun.layers._spec import TensorSpec
from dlrun.layers._windows import AXES, spatial
from dlrun.types import Natural

SequenceMargins = Natural | list[Natural]
"""One number for both ends, or [beginning, end]."""

Margins = Natural | list[Natural] | list[list[Natural]]
"""One number for all edges, one for both edges of each axis, or [beginning, end] for each axis."""

Edges = tuple[tuple[int, int], ...]


def zero_padding(layer: str, axes: int, inputs: TensorSpec, padding: int | list) -> nn.Module:
    """The layer of that name over `axes` axes."""
    sizes, channels = spatial(inputs, layer, axes)
    edges = _edges(padding, axes, layer, "padding")
    grown = [size + before + after for size, (before, after) in zip(sizes, edges, strict=True)]
    return ZeroPadding(edges, TensorSpec((*grown, channels)))


def crop(layer: str, axes: int, inputs: TensorSpec, cut: int | list) -> nn.Module:
    """The layer of that name over `axes` axes."""
    sizes, channels = spatial(inputs, layer, axes)
    edges = _edges(cut, axes, layer, "cropping")
    left = [size - before - after for size, (before, after) in zip(sizes, edges, strict=True)]
    if min(left) < 1:
        message = f"layer {layer} cuts {cut} off, and nothing is left of {inputs}"
        raise ConfigError(Problem("architecture", message, "cut less off"))
    return Cropping(edges, TensorSpec((*left, channels)))


def _edges(value: int | list, axes: int, layer: str, argument: str) -> Edges:
    if isinstance(value, int):
        return ((value, value),) * axes
    if axes == 1 and len(value) == 2:
        return ((value[0], value[1]),)
    if axes > 1 and len(value) == axes:
        pairs = [v if isinstance(v, list | tuple) else (v, v) for v in value]
        if all(len(pair) == 2 for pair in pairs):
            return tuple((before, after) for before, after in pairs)
    expected = "[beginning, end]" if axes == 1 else f"{axes} of them, or {axes} times [beginning, end]"
    message = f"layer {layer} expects {argument} to be a number, {expected}; received {value}"
    raise ConfigError(Problem("architecture", message, f"the axes are {', '.join(AXES[axes])}"))


class ZeroPadding(nn.Module):
    """Zeros before the beginning and after the end of each axis."""

    def __init__(self, edges: Edges, output: TensorSpec):
        super().__init__()
        self.edges = edges
        self.output = output

    def forward(self, inputs: Tensor) -> Tensor:
        """[B, *sizes, C] to [B, *sizes, C]."""
        return F.pad(inputs, [0, 0, *(n for edge in reversed(self.edges) for n in edge)])

    def extra_repr(self) -> str:
        """Numbers of zeros, for a printed model."""
        return str(self.edges)


class Cropping(nn.Module):
    """What is left is a view."""

    def __init__(self, edges: Edges, output: TensorSpec):
        super().__init__()
        self.edges = edges
        self.output = output

    def forward(self, inputs: Tensor) -> Tensor:
        """[B, *sizes, C] to [B, *sizes, C]."""
        for axis, (before, after) in enumerate(self.edges, start=1):
            inputs = inputs.narrow(axis, before, inputs.shape[axis] - before - after)
        return inputs

    def extra_repr(self) -> str:
        """Places cut off, for a printed model."""
        return str(self.edges)
