"""Windows that slide over sequences, pictures and volumes: where they stand, and what lies beyond the edge.

A sequence is handled as a picture of height 1: torch's functions for sequences copy what has its channels last, those
for pictures and volumes read it as it lies and answer in the same order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from dlrun.errors import ConfigError, Problem
from dlrun.layers._spec import TensorSpec, require_values
from dlrun.types import Count

Padding = Literal["valid", "same"]
"""`valid`: windows stay inside. `same`: ceil(size / stride) windows; an odd number of places beyond the edges has the
extra one at the end, as in Keras on TensorFlow."""

CausalPadding = Literal["valid", "same", "causal"]
"""`causal`: all places beyond the edge come before the beginning; no window sees what is later than itself."""

PerAxis = Count | list[Count]
"""One number for all axes, or one for each."""

AXES = {1: ("steps",), 2: ("height", "width"), 3: ("depth", "height", "width")}


def spatial(inputs: TensorSpec, layer: str, axes: int) -> tuple[tuple[int, ...], int]:
    """The sizes of the axes and the number of channels, or a ConfigError where these are other inputs."""
    *sizes, channels = require_values(inputs, layer, *AXES[axes], "channels").shape
    return tuple(sizes), channels


def per_axis(value: int | list[int], axes: int, layer: str, argument: str) -> tuple[int, ...]:
    """`value` for each axis."""
    if isinstance(value, int):
        return (value,) * axes
    if len(value) != axes:
        message = f"layer {layer} expects {argument} to be a number or {axes} of them, received {value}"
        raise ConfigError(Problem("architecture", message, f"one for each of {', '.join(AXES[axes])}"))
    return tuple(value)


@dataclass(frozen=True)
class Windows:
    """For each axis: the window's size, the distance between windows, the distance between places in one window.

    Two axes or three; a sequence has the height 1.
    """

    size: tuple[int, ...]
    strides: tuple[int, ...]
    dilation: tuple[int, ...]
    padding: CausalPadding

    @classmethod
    def of(
        cls,
        layer: str,
        axes: int,
        size: tuple[int, ...],
        strides: int | list[int],
        padding: CausalPadding,
        dilation_rate: int | list[int] = 1,
    ) -> Windows:
        """From a layer's arguments."""
        steps = per_axis(strides, axes, layer, "strides")
        dilation = per_axis(dilation_rate, axes, layer, "dilation_rate")
        return cls(_flat(size), _flat(steps), _flat(dilation), padding)

    def output(self, sizes: tuple[int, ...], channels: int, layer: str) -> TensorSpec:
        """What comes out of inputs of such sizes. Raises ConfigError where no window fits."""
        reach = self.reach
        places = [
            size + before + after for size, (before, after) in zip(_flat(sizes), self.edges(_flat(sizes)), strict=True)
        ]
        if any(n < r for n, r in zip(places, reach, strict=True)):
            window = reach[-len(sizes) :]
            message = f"layer {layer} expects at least {_times(window)} places, received {_times(sizes)}"
            hint = "take a smaller window or dilation, padding=same, or fewer layers that shrink"
            raise ConfigError(Problem("architecture", message, hint))
        count = [(n - r) // s + 1 for n, r, s in zip(places, reach, self.strides, strict=True)]
        return TensorSpec((*count[-len(sizes) :], channels))

    @property
    def reach(self) -> tuple[int, ...]:
        """Places from a window's first to its last."""
        return tuple((size - 1) * d + 1 for size, d in zip(self.size, self.dilation, strict=True))

    def edges(self, sizes: tuple[int, ...]) -> list[tuple[int, int]]:
        """Places before the beginning and after the end of each axis that windows look at."""
        if self.padding == "valid":
            return [(0, 0)] * len(sizes)
        if self.padding == "causal":
            return [(reach - 1, 0) for reach in self.reach]
        found = []
        for size, window, stride, d in zip(sizes, self.size, self.strides, self.dilation, strict=True):
            total = max((size - 1) // stride * stride + (window - 1) * d + 1 - size, 0)
            found.append((total // 2, total - total // 2))
        return found

    def __str__(self) -> str:
        return f"{_times(self.size)} / {_times(self.strides)}, {self.padding}"


def channels_first(x: Tensor) -> Tensor:
    """A view: [B, T, C] as [B, C, 1, T], [B, H, W, C] as [B, C, H, W], [B, D, H, W, C] as [B, C, D, H, W]."""
    if x.ndim == 3:
        return x.unsqueeze(1).permute(0, 3, 1, 2)
    return x.permute(0, 3, 1, 2) if x.ndim == 4 else x.permute(0, 4, 1, 2, 3)


def channels_last(x: Tensor, axes: int) -> Tensor:
    """The way back."""
    if axes == 3:
        return x.permute(0, 2, 3, 4, 1)
    x = x.permute(0, 2, 3, 1)
    return x.squeeze(1) if axes == 1 else x


def _flat(values: tuple[int, ...]) -> tuple[int, ...]:
    return (1, *values) if len(values) == 1 else values


def _times(values: tuple[int, ...]) -> str:
    return " x ".join(map(str, values))
