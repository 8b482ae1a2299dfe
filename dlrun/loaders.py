"""Batches from rows that live on the device: a batch is a gather by index, for one model or for K at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from dlrun.contracts import Bags, Batch, Column, DataSpec, Rows, Stored, Windows
from dlrun.ragged import Ragged
from dlrun.seeds import derive
from dlrun.weighing import Weighing

GATHER_BYTES = 4 * 2**20


class Portion(NamedTuple):
    """One batch and how many real rows each of the K members has in it: int [K]."""

    batch: Batch
    rows: np.ndarray


class Plan(NamedTuple):
    """The batches of an epoch as row numbers. rows: int64 [S, K, B], where there are none row 0; filled: int64
    [S, K], how many of B are real."""

    rows: Tensor
    filled: Tensor


class Loader:
    """The rows of K members, in batches.

    index: K index arrays into `rows`. seeds: one per member to shuffle by, anew each epoch; None keeps the
    order. With K > 1 every tensor of a batch carries a leading axis K and there is always a mask; where all
    members have the same rows in the same order the batches are `shared` and look like those of one.
    replacement: with seeds, each row of a batch is drawn from all rows, and all batches are whole.
    dtype: of floating-point inputs and targets. weighing: what the loss of each row counts, where it is not 1.
    ragged: the multi-hot inputs.
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
        weighing: Weighing | None = None,
        replacement: bool = False,
    ):
        self.rows, self.spec, self.dtype = rows, spec, dtype
        self.members = len(index)
        alike = all(np.array_equal(i, index[0]) for i in index[1:]) and len(set(seeds or [0])) == 1
        self.shared = alike and self.members > 1
        self.index = [torch.from_numpy(np.ascontiguousarray(i, dtype=np.int64)) for i in index]
        if self.shared:
            self.index, seeds, weighing = self.index[:1], seeds and seeds[:1], weighing and weighing.of_first()
        self.batch_size, self.seeds, self.weighing, self.replacement = batch_size, seeds, weighing, replacement
        full = -(-max(len(i) for i in index) // batch_size)
        self.passes = -(-steps // full) if steps else 1
        self.steps = steps or full
        self.targets = {n: t if t.dtype == torch.int64 else t.to(dtype) for n, t in rows.targets.items()}
        self.ragged = {
            name: Ragged(c, spec.inputs[name].shape[0]) for name, c in rows.inputs.items() if isinstance(c, Bags)
        }
        first = next(iter(rows.inputs.values()))
        self.device = _memory(first).device
        self.together = self._together()

    @property
    def padded(self) -> bool:
        """Whether any batch has fewer rows than the others."""
        return bool((self.plan(1).filled < self.batch_size).any())

    def plan(self, epoch: int) -> Plan:
        """All batches of one epoch. The order depends on seed and epoch alone."""
        index = torch.zeros(self.steps, len(self.index), self.batch_size, dtype=torch.int64)
        filled = torch.zeros(self.steps, len(self.index), dtype=torch.int64)
        per_pass = -(-max(map(len, self.index)) // self.batch_size)
        for k in range(len(self.index)):
            for pass_ in range(self.passes):
                first = pass_ * per_pass
                order = self._order(k, epoch, pass_)[: (self.steps - first) * self.batch_size]
                padded = torch.nn.functional.pad(order, (0, -len(order) % self.batch_size))
                batches = padded.view(-1, self.batch_size)
                index[first : first + len(batches), k] = batches
                counts = torch.full((len(batches),), self.batch_size)
                counts[-1:] -= len(padded) - len(order)
                filled[first : first + len(batches), k] = counts
        return Plan(index, filled)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Portion]:
        """The batches of one epoch, from batch `start` on."""
        plan = self.plan(epoch)
        # Gathers begin at the same batches whatever `start` is: sums may depend on where memory is aligned.
        for first in range(start - start % self.together, self.steps, self.together):
            yield from self._portions(plan, first, min(first + self.together, self.steps))[max(start - first, 0) :]

    def _order(self, member: int, epoch: int, pass_: int) -> Tensor:
        index = self.index[member]
        if self.seeds is None:
            return index
        generator = torch.Generator().manual_seed(derive(self.seeds[member], "epoch", epoch, pass_))
        if self.replacement:
            whole = len(index) + -len(index) % self.batch_size
            return index[torch.randint(len(index), (whole,), generator=generator)]
        return index[torch.randperm(len(index), generator=generator)]

    def _portions(self, plan: Plan, first: int, last: int) -> list[Portion]:
        """Batches first to last - 1, gathered at once: most of the cost of a small gather is its call."""
        rows = plan.filled[first:last].numpy()
        picked = [plan.rows[first + i, :, : int(n.max())] for i, n in enumerate(rows)]
        several = len(self.index) > 1
        shapes = [index.shape if several else index.shape[1:] for index in picked]
        flat = torch.cat([index.reshape(-1) for index in picked])
        there = flat.to(self.device, non_blocking=True)
        inputs = {name: self._column(name, c, flat, there, shapes) for name, c in self.rows.inputs.items()}
        targets = {name: _split(t.index_select(0, there), shapes) for name, t in self.targets.items()}
        numbers = _split(there, shapes) if self.weighing else []
        portions = []
        for i, n in enumerate(rows):
            own = {name: target[i] for name, target in targets.items()}
            batch = Batch(
                {name: column[i] for name, column in inputs.items()},
                own,
                self._mask(n) if several else None,
                self.shared,
                self.weighing.of(own, numbers[i]) if self.weighing else None,
            )
            portions.append(Portion(batch, n if several else np.repeat(n, self.members)))
        return portions

    def _mask(self, rows: np.ndarray) -> Tensor:
        mask = torch.arange(int(rows.max())) < torch.from_numpy(rows)[:, None]
        return mask.to(self.device, self.dtype)

    def _column(
        self, name: str, column: Stored, flat: Tensor, there: Tensor, shapes: list[torch.Size]
    ) -> Sequence[Column]:
        if isinstance(column, Bags):
            return self.ragged[name].batches(flat, there, shapes)
        return _split(self.values(name, column, there), shapes)

    def values(self, name: str, column: Tensor | Windows, rows: Tensor) -> Tensor:
        """Some rows [T] of an input as the model reads them, [T, *shape]: tokens in int64, all else in `dtype`."""
        given = self.spec.inputs[name]
        taken = column.of(rows) if isinstance(column, Windows) else column.index_select(0, rows)
        if given.encoding == "tokens":
            return taken.long()
        taken = taken.to(self.dtype)  # a fresh tensor: it may be changed
        return taken if given.divide_by == 1.0 else taken.div_(given.divide_by)

    def _together(self) -> int:
        """How many batches to gather at once: what fits into a small cache of the CPU, at least one."""
        row = 0
        for name, column in self.rows.inputs.items():
            if isinstance(column, Bags):
                row += column.values.nbytes // max(len(column.offsets) - 1, 1)
            elif isinstance(column, Windows):
                row += column[0].numel() * self.dtype.itemsize
            else:
                dtype = torch.int64 if self.spec.inputs[name].encoding == "tokens" else self.dtype
                row += column[:1].numel() * dtype.itemsize
        return max(GATHER_BYTES // max(row * self.batch_size * len(self.index), 1), 1)


def _split(taken: Tensor, shapes: list[torch.Size]) -> list[Tensor]:
    """Rows [T, ...] to one tensor [*shape, ...] per batch."""
    parts = taken.split([shape.numel() for shape in shapes])
    return [part.view(*shape, *taken.shape[1:]) for part, shape in zip(parts, shapes, strict=True)]


def _memory(column: Stored) -> Tensor:
    """Where the numbers of a column are."""
    if isinstance(column, Tensor):
        return column
    return column.values if isinstance(column, Bags) else column.phases


def to_device(rows: Rows, device: torch.device) -> Rows:
    """All columns on one device."""

    def move(column: Stored) -> Stored:
        if isinstance(column, Bags):
            return Bags(*(t.to(device) for t in column))
        if isinstance(column, Windows):
            return replace(column, phases=column.phases.to(device), starts=column.starts.to(device))
        # Off the CPU, few of torch's operators know uint16.
        narrow = column.dtype == torch.uint16 and device.type != "cpu"
        return (column.int() if narrow else column).to(device)

    return Rows(
        {name: move(column) for name, column in rows.inputs.items()},
        {name: t.to(device) for name, t in rows.targets.items()},
        None if rows.weights is None else rows.weights.to(device),
    )
