"""Products of two inputs summed along an axis of each, row by row."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from dlrun.errors import ConfigError, Problem
from dlrun.layers._axes import from_end
from dlrun.layers._merging import several, shapes
from dlrun.layers._spec import TensorSpec

TINY = 1e-6
"""Vectors shorter than this are not stretched to length 1: the root of 1e-12, which Keras compares squares with."""


def build(inputs: list[TensorSpec], *, axes: int | list[int], normalize: bool = False) -> nn.Module:
    """Keras's Dot: of rows (a, s) and (b, s) along axis 2 of both, (a, b); of vectors, (1,).

    axes: the one of both inputs, or one for each, as Keras counts, 0 is the batch; what is left of the first input
    comes before what is left of the second. normalize: vectors along the axes have length 1 first, so that the
    products are cosines. Raises ConfigError unless there are two inputs whose sizes along the axes are equal.
    """
    first, second = given = several(inputs, "dot", exactly=2)
    pair = [axes, axes] if isinstance(axes, int) else list(axes)
    if len(pair) != 2:
        message = f"dot expects one axis or two, received axes {pair}"
        raise ConfigError(Problem("architecture", message, "name one axis for each of the two inputs"))
    a, b = (from_end(axis, one, "dot") for axis, one in zip(pair, given, strict=True))
    if first.shape[a] != second.shape[b]:
        message = f"dot needs equal sizes along the axes {pair}, received {shapes(given)}"
        raise ConfigError(Problem("architecture", message, "name axes of one size"))
    return Dot((a, b), normalize, TensorSpec(_left(first.shape, a) + _left(second.shape, b) or (1,)))


def _left(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return tuple(n for i, n in enumerate(shape) if i != axis + len(shape))


class Dot(nn.Module):
    """axes: of the first and of the second input, counted from the end, below 0."""

    def __init__(self, axes: tuple[int, int], normalize: bool, output: TensorSpec):
        super().__init__()
        self.axes, self.normalize = axes, normalize
        self.output = output

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """[B, *(what is left of both)], or [B, 1] where nothing is."""
        a, b = first.movedim(self.axes[0], -1), second.movedim(self.axes[1], -1)
        if self.normalize:
            a, b = F.normalize(a, dim=-1, eps=TINY), F.normalize(b, dim=-1, eps=TINY)
        left = (*a.shape[1:-1], *b.shape[1:-1])
        if not left:
            return (a * b).sum(-1, keepdim=True)
        product = a.flatten(1, -2) if a.ndim > 2 else a.unsqueeze(1)
        other = b.flatten(1, -2) if b.ndim > 2 else b.unsqueeze(1)
        return (product @ other.transpose(1, 2)).reshape(a.shape[0], *left)

    def extra_repr(self) -> str:
        """The axes, for a printed model."""
        return f"axes={self.axes}, normalize={self.normalize}"
