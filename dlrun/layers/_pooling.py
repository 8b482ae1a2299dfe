"""The largest or the mean of each window, or of each channel."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlrun.layers._spec import TensorSpec
from dlrun.layers._windows import Padding, Windows, channels_first, channels_last, per_axis, spatial

Kind = Literal["max", "average"]


def pooling(
    layer: str,
    axes: int,
    inputs: TensorSpec,
    kind: Kind,
    *,
    pool_size: int | list[int],
    strides: int | list[int] | None,
    padding: Padding,
) -> nn.Module:
    """The layer of that name over `axes` axes; the arguments are Keras's."""
    sizes, channels = spatial(inputs, layer, axes)
    window = per_axis(pool_size, axes, layer, "pool_size")
    windows = Windows.of(layer, axes, window, list(window) if strides is None else strides, padding)
    return Pooling(kind, windows, windows.output(sizes, channels, layer))


def global_pooling(layer: str, axes: int, inputs: TensorSpec, kind: Kind) -> nn.Module:
    """The layer of that name over `axes` axes."""
    _, channels = spatial(inputs, layer, axes)
    return GlobalPooling(kind, TensorSpec((channels,)))


class Pooling(nn.Module):
    """Places beyond the edge are never the largest, and do not count in a mean."""

    def __init__(self, kind: Kind, windows: Windows, output: TensorSpec):
        super().__init__()
        self.kind = kind
        self.windows = windows
        self.output = output

    def forward(self, inputs: Tensor) -> Tensor:
        """[B, *sizes, C] to [B, *sizes, C]."""
        x, windows, axes = channels_first(inputs), self.windows, inputs.ndim - 2
        sizes = x.shape[2:]
        if windows.padding == "valid":
            return channels_last(self._pooled(x), axes)
        if axes == 3 and self.kind == "average" and any(n < k for n, k in zip(sizes, windows.size, strict=True)):
            # Volumes that torch refuses, though their windows reach beyond the edge.
            zeros = [n for edge in reversed(windows.edges(sizes)) for n in edge]
            share = self._pooled(F.pad(torch.ones_like(x[:1, :1]), zeros))
            return channels_last(self._pooled(F.pad(x, zeros)) / share, axes)
        # torch has as many places after the end as before the beginning, Keras may have one more after it. `ceil_mode`
        # adds the window that lacks that place; windows that follow each other at stride 1 instead begin one place
        # earlier, and their first result is left out. Neither copies the inputs.
        edges = list(zip(windows.edges(sizes), windows.strides, strict=True))
        y = self._pooled(x, tuple(after if stride == 1 else before for (before, after), stride in edges), True)
        for axis, ((before, after), stride) in enumerate(edges, start=2):
            if stride == 1 and before < after:
                y = y.narrow(axis, 1, y.shape[axis] - 1)
        return channels_last(y, axes)

    def _pooled(self, x: Tensor, padding: tuple[int, ...] = (0, 0, 0), ceil: bool = False) -> Tensor:
        size, strides = self.windows.size, self.windows.strides
        padding = padding[: len(size)]
        if self.kind == "max":
            largest = torch.max_pool3d if x.ndim == 5 else torch.max_pool2d
            return largest(x, size, strides, padding, 1, ceil)
        mean = F.avg_pool3d if x.ndim == 5 else F.avg_pool2d
        # Without places beyond the edge both ways of counting agree, and torch's gradient of this one is faster.
        return mean(x, size, strides, padding, ceil, not ceil)

    def extra_repr(self) -> str:
        """Kind and windows, for a printed model."""
        return f"{self.kind}, {self.windows}"


class GlobalPooling(nn.Module):
    """Over all places. Equal largest ones share the gradient, as in TensorFlow."""

    def __init__(self, kind: Kind, output: TensorSpec):
        super().__init__()
        self.kind = kind
        self.output = output

    def forward(self, inputs: Tensor) -> Tensor:
        """[B, *sizes, C] to [B, C]."""
        places = tuple(range(1, inputs.ndim - 1))
        return inputs.amax(places) if self.kind == "max" else inputs.mean(places)

    def extra_repr(self) -> str:
        """Kind, for a printed model."""
        return self.kind
