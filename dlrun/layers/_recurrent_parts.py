"""What the loops of all recurrent cells are made of: the product with the state, and the steps in their order.

Tensors of all steps are [T, B, N] for one model and [T, K, B, N] for a stack of K; those of one step lack T, weights
are [U, N] or [K, U, N].
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

BLOCK = 2**18
"""Numbers of a block of steps: what is computed for several steps at once should stay in a processor's cache."""


class Product:
    """state [..., B, U] times weight [..., U, N], where each gate, U of the N columns, may have a mask of its own on
    the state. masks: [..., B, N] or None."""

    def __init__(self, weight: Tensor, masks: Tensor | None):
        self.units = weight.shape[-2]
        self.masks = None if masks is None else self._apart(masks).contiguous()
        self.weight = weight if masks is None else self._apart(weight).contiguous()
        self.turned = self.weight.mT.contiguous()
        self.multiply_add = torch.addmm if weight.ndim == 2 else torch.baddbmm

    def _apart(self, x: Tensor) -> Tensor:
        """[..., N] as one matrix per gate, [gates, ..., U]: a view."""
        return x.unflatten(-1, (-1, self.units)).movedim(-2, 0)

    def forward(self, start: Tensor, state: Tensor, out: Tensor) -> None:
        """Write start + state @ weight into `out` [..., B, N]."""
        if self.masks is None:
            self.multiply_add(start, state, self.weight, out=out)
        else:
            torch.add(self._apart(start), (state * self.masks) @ self.weight, out=self._apart(out))

    def backward(self, grad: Tensor, out: Tensor, keep: bool) -> None:
        """Write grad @ weight.T into `out` [..., B, U], or add it to what is there."""
        if self.masks is None:
            self.multiply_add(out, grad, self.turned, beta=int(keep), out=out)
            return
        product = (self._apart(grad) @ self.turned).mul_(self.masks).sum(0)
        if keep:
            out.add_(product)
        else:
            out.copy_(product)

    def weight_gradient(self, states: Tensor, grads: Tensor) -> Tensor:
        """Sum over all steps and rows. states: [T, ..., B, U]. grads: [T, ..., B, N]."""
        if self.masks is None:
            return _summed_product(states, grads)
        gates = zip(self.masks, grads.split(self.units, -1), strict=True)
        return torch.cat([_summed_product(states * mask, grad) for mask, grad in gates], -1)


def _summed_product(states: Tensor, grads: Tensor) -> Tensor:
    if states.ndim == 3:
        return states.reshape(-1, states.shape[-1]).t() @ grads.reshape(-1, grads.shape[-1])
    return (states.mT @ grads).sum(0)


class Block(NamedTuple):
    """Steps that are computed at once. before: the steps that came before each of them in the loop's order; None
    for the first step, which nothing came before. order: the steps one by one, in the loop's order."""

    steps: slice
    before: slice | None
    order: range


def blocks(like: Tensor, backwards: bool) -> list[Block]:
    """All steps in blocks, in the loop's order. like: [T, ..., N], with what is computed."""
    count = len(like)
    size = max(1, BLOCK // max(1, like[0].numel()))
    bounds = [0, *range(1, count, size), count]
    found = []
    for low, high in pairwise(bounds):
        if low == high:
            continue
        if backwards:
            steps = slice(count - high, count - low)
            before, order = slice(steps.start + 1, steps.stop + 1), range(steps.stop - 1, steps.start - 1, -1)
        else:
            steps = slice(low, high)
            before, order = slice(low - 1, high - 1), range(low, high)
        found.append(Block(steps, before if low else None, order))
    return found


def order(count: int, backwards: bool) -> range:
    """All steps one by one, in the loop's order."""
    return range(count - 1, -1, -1) if backwards else range(count)


def later_and_before(count: int, backwards: bool) -> tuple[slice, slice]:
    """All steps but the first in the loop's order, and for each the one before it."""
    behind, ahead = slice(1, count), slice(0, count - 1)
    return (ahead, behind) if backwards else (behind, ahead)


def by_step(x: Tensor, *parts: int) -> Iterator[tuple[Tensor, ...]]:
    """The columns of x [T, ..., N] in parts of such widths, each as a list of steps."""
    return (part.unbind(0) for part in x.split(parts, -1))
