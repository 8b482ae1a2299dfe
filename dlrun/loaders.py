"""Batches from rows that live on the device: a batch is a gather by index, for one model or for K at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from dlrun.contracts import Bags, Batch, Column, DataSpec, Rows
from dlrun.seeds import derive


class Portion(NamedTuple):
    """One batch and how many real rows each of the K members has in it: int [K]."""

    batch: Batch
    rows: np.ndarray


class Loader:
    """The rows of K members, in batches.

    index: K index arrays into `rows`. seeds: one per member to shuffle by, anew each epoch; None keeps the
    order. With K > 1 every tensor of a batch carries a leading axis K and there is always a mask.
    dtype: of floating-point inputs and targets.
    """

    def __init__(
        self,
        rows: Rows,
        spec: DataSpec,
        index: list[np.ndarray],
        batch_size: int,
        dtype: torch.dtype,
        seeds: list[int] | None = None,
        steps: int | None = None,
    ):
        self.rows, self.spec, self.dtype = rows, spec, dtype
        self.index = [torch.from_numpy(np.ascontiguousarray(i, dtype=np.int64)) for i in index]
        self.batch_size, self.seeds = batch_size, seeds
        full = -(-max(len(i) for i in index) // batch_size)
        self.passes = -(-steps // full) if steps else 1
        self.steps = steps or full
        self.targets = {name: self._cast(t) for name, t in rows.targets.items()}
        self._lengths = {
            name: (c.offsets[1:] - c.offsets[:-1]).cpu()
            for name, c in rows.inputs.items()
            if isinstance(c, Bags)
        }
        first = next(iter(rows.inputs.values()))
        self.device = (first.values if isinstance(first, Bags) else first).device

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Portion]:
        """The batches of one epoch, from batch `start` on. The order depends on seed and epoch alone."""
        done = 0
        for pass_ in range(self.passes):
            orders = [self._order(k, epoch, pass_) for k in range(len(self.index))]
            longest = max(len(o) for o in orders)
            for first in range(0, longest, self.batch_size):
                if done == self.steps:
                    return
                done += 1
                if done > start:
                    yield self._portion([o[first : first + self.batch_size] for o in orders])

    def _order(self, member: int, epoch: int, pass_: int) -> Tensor:
        index = self.index[member]
        if self.seeds is None:
            return index
        generator = torch.Generator().manual_seed(derive(self.seeds[member], "epoch", epoch, pass_))
        return index[torch.randperm(len(index), generator=generator)]

    def _portion(self, picked: list[Tensor]) -> Portion:
        rows = np.array([len(p) for p in picked])
        if len(picked) == 1:
            return Portion(self._batch(picked[0], None), rows)
        width = int(rows.max())
        index = torch.stack([torch.nn.functional.pad(p, (0, width - len(p))) for p in picked])
        mask = torch.arange(width) < torch.from_numpy(rows)[:, None]
        return Portion(self._batch(index, mask.to(self.device, self.dtype)), rows)

    def _batch(self, index: Tensor, mask: Tensor | None) -> Batch:
        """index: [B] or [K, B], on the host."""
        there = index.to(self.device, non_blocking=True)
        inputs = {name: self._column(name, column, index, there) for name, column in self.rows.inputs.items()}
        return Batch(inputs, {name: _take(t, there) for name, t in self.targets.items()}, mask)

    def _column(self, name: str, column: Column, index: Tensor, there: Tensor) -> Column:
        if isinstance(column, Bags):
            return _take_bags(column, self._lengths[name], index, there)
        taken = self._cast(_take(column, there))  # a fresh tensor: it may be changed
        divisor = self.spec.inputs[name].divide_by
        return taken if divisor == 1.0 else taken.div_(divisor)

    def _cast(self, tensor: Tensor) -> Tensor:
        is_target_index = tensor.dtype == torch.int64
        return tensor if is_target_index else tensor.to(self.dtype)


def _take(tensor: Tensor, index: Tensor) -> Tensor:
    return tensor.index_select(0, index) if index.ndim == 1 else tensor[index]


def _take_bags(bags: Bags, lengths: Tensor, index: Tensor, there: Tensor) -> Bags:
    """Rows `index` of ragged rows. The totals come from the host, so that a GPU is never waited for.

    lengths: int64 [N], on the host. index: [B] or [K, B] on the host, `there` the same on the device.
    """
    if index.ndim == 2:
        members = [_take_bags(bags, lengths, i, t) for i, t in zip(index, there, strict=True)]
        longest = max(len(m.values) for m in members)
        padded = [torch.nn.functional.pad(m.values, (0, longest - len(m.values))) for m in members]
        return Bags(torch.stack(padded), torch.stack([m.offsets for m in members]))
    total = int(lengths[index].sum())
    starts = bags.offsets[there]
    sizes = bags.offsets[there + 1] - starts
    offsets = torch.nn.functional.pad(sizes.cumsum(0), (1, 0))
    shift = torch.repeat_interleave(starts - offsets[:-1], sizes, output_size=total)
    return Bags(bags.values[shift + torch.arange(total, device=shift.device)], offsets)


def to_device(rows: Rows, device: torch.device) -> Rows:
    """All columns on one device."""

    def move(column: Column) -> Column:
        return Bags(*(t.to(device) for t in column)) if isinstance(column, Bags) else column.to(device)

    return Rows(
        {name: move(column) for name, column in rows.inputs.items()},
        {name: t.to(device) for name, t in rows.targets.items()},
    )
