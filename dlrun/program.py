"""One update as a function of tensors alone: what is traced, compiled, and replayed.

Everything that an update reads or changes is one of a flat list of tensors: weights and the optimizer's state, the
data, the sums of the epoch's metrics, which stay the same from call to call, and a few small ones that say what is
this update's: which rows, how many of them are real, the optimizer's factors, and of multi-hot inputs, whose rows
differ in length, the rows themselves in room that is enough for nearly all batches.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from dlrun.contracts import Bags, Batch, Output, Rule, Windows
from dlrun.device import rng_state, set_rng_state
from dlrun.loaders import Loader, Plan
from dlrun.optimizers._rule import advance, table
from dlrun.ragged import Ragged
from dlrun.stack import mixes_rows
from dlrun.weighing import Weighing

State = dict[str, Tensor]


class Program:
    """An update of `step` on the next batch of `loader`.

    moved: names of the weights that the objective depends on; the others stay as they are. sums: the epoch's running
    sums, [S] or [K, S]. kept_names: metrics whose `keep` each call returns.
    whole_batches_only: a shorter batch can't be padded here, because its rows are mixed. room: for each multi-hot
    input, how many words a model's batch may have.
    """

    def __init__(self, step: Any, loader: Loader):
        self.step, self.loader = step, loader
        self.device = loader.device
        self.rule: Rule = step.rule
        self.weights, self.others = step.ensemble.tensors()
        self.slots = step.slots()
        self.sums = torch.zeros(0)
        given, self.moved = self._first()
        self.sums = torch.zeros_like(given.sums)
        self.kept_names = sorted(given.kept)
        self.whole_batches_only = loader.padded and mixes_rows(step.ensemble.objective.model)
        self.masked = loader.padded and not self.whole_batches_only
        self.room = {name: _room(ragged, loader.batch_size) for name, ragged in loader.ragged.items()}

    def fixed(self) -> list[Tensor]:
        """The tensors that stay the same, in the order of `update`'s arguments."""
        slots = [slot[name] for slot in self.slots for name in sorted(slot)]
        columns = [t for column in self._columns().values() for t in _tensors(column)]
        weighing = self.loader.weighing.tensors() if self.loader.weighing else []
        tensors = [*self.weights.values(), *self.others.values(), *slots, *columns, *self.loader.targets.values(),
                   *weighing, self.sums]  # fmt: skip
        return [t.detach() for t in tensors]

    def turns(self, plan: Plan, rates: np.ndarray, first: int) -> list[list[Tensor]]:
        """What is added to `fixed` for each update from batch `first` of an epoch on. rates: [n, K] or [n, 1]."""
        n = len(rates)
        counted = int(self.slots[0]["step"]) if self.rule.counts else 0
        factors = torch.from_numpy(table(self.rule, rates, counted + 1)).to(self.device, self.loader.dtype)
        rows = plan.rows[first : first + n].to(self.device)
        filled = plan.filled[first : first + n].to(self.device)
        turns = [list(turn) for turn in zip(rows.unbind(0), filled.unbind(0), factors.unbind(0), strict=True)]
        for name in self.room:
            for turn, bags in zip(turns, self._bags(name, plan.rows[first : first + n], rows), strict=True):
                turn += bags
        return turns

    def takes(self, plan: Plan) -> np.ndarray:
        """Which batches of an epoch the program is made for: bool [S]. The others are too short or too wordy."""
        taken = np.ones(len(plan.filled), dtype=bool)
        if self.whole_batches_only:
            taken &= (plan.filled == self.loader.batch_size).all(1).numpy()
        for name, room in self.room.items():
            words = self.loader.ragged[name].lengths[plan.rows].sum(2)
            taken &= (words <= room).all(1).numpy()
        return taken

    def _columns(self) -> dict[str, Tensor | Windows]:
        return {name: c for name, c in self.loader.rows.inputs.items() if not isinstance(c, Bags)}

    def _bags(self, name: str, rows: Tensor, there: Tensor) -> list[list[Tensor]]:
        """Values and offsets of each of n batches [n, K, B], the values in all the room there is."""
        n, models, size = rows.shape
        shape = torch.Size((models, size) if models > 1 else (size,))
        batches = self.loader.ragged[name].batches(rows.reshape(-1), there.reshape(-1), [shape] * n)
        room = self.room[name]
        return [[pad(bags.values, (0, room - bags.values.shape[-1])), bags.offsets] for bags in batches]

    def example(self) -> list[Tensor]:
        """All inputs of an update with rates of 0."""
        own = 1 if np.ndim(self.rule.numbers["lr"]) == 0 else self.step.ensemble.size
        return [*self.fixed(), *self.turns(self.loader.plan(1), np.zeros((1, own)), 0)[0]]

    def facts(self) -> dict[str, Any]:
        """What the graph depends on beside the step and the inputs' shapes."""
        return {"moved": self.moved, "masked": self.masked, "shared": self.loader.shared}

    def restored(self) -> AbstractContextManager[None]:
        """Whatever is learned inside is forgotten after it."""
        return restored(self.step, self.sums)

    def _first(self) -> tuple[Output, list[str]]:
        """What a batch gives, for its shapes, and the weights that move it; nothing is learned."""
        with self.restored(), torch.enable_grad():
            output: Output = self.step.ensemble(next(iter(self.loader.epoch(1))).batch)
            gradients = torch.autograd.grad(output.objective, list(self.weights.values()), allow_unused=True)
        return output, [name for name, g in zip(self.weights, gradients, strict=True) if g is not None]

    def update(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Learn from one batch, changing weights, optimizer state and sums in place. Returns what metrics keep, by
        `kept_names`."""
        given = iter(tensors)
        weights = {name: next(given) for name in self.weights}
        others = {name: next(given) for name in self.others}
        slots = [{name: next(given) for name in sorted(slot)} for slot in self.slots]
        columns = {name: _made_of(column, given) for name, column in self._columns().items()}
        targets = {name: next(given) for name in self.loader.targets}
        weighing = self.loader.weighing
        if weighing:
            weighing = weighing.made_of([next(given) for _ in weighing.tensors()])
        sums, rows, filled, factors, *bags = given
        ragged = {name: Bags(*bags[2 * i : 2 * i + 2]) for i, name in enumerate(self.room)}
        batch = self._batch(columns, ragged, targets, weighing, rows, filled)
        with torch.enable_grad():
            moving = {name: weights[name].detach().requires_grad_() for name in self.moved}
            output = self.step.ensemble.functional(weights | moving, others, batch)
            gradients = torch.autograd.grad(output.objective, list(moving.values()))
        clipped = iter(self.step.clip(gradients))
        for (name, weight), slot in zip(weights.items(), slots, strict=True):
            if name not in self.moved:
                continue
            gradient = next(clipped)
            new, state = advance(self.rule, weight, gradient, slot, factors)
            weight.copy_(new)
            for key, value in slot.items():
                if state[key] is not value:
                    value.copy_(state[key])
        sums.add_(output.sums.detach())
        return tuple(output.kept[name].detach() for name in self.kept_names)

    def _batch(
        self, columns: Mapping[str, Tensor | Windows], ragged: dict[str, Bags], targets: State,
        weighing: Weighing | None, index: Tensor, filled: Tensor,
    ) -> Batch:  # fmt: skip
        """index: int64 [K, B] or [1, B]; filled: int64 [K] or [1]."""
        several = index.shape[0] > 1
        shape = index.shape if several else index.shape[1:]
        flat = index.reshape(-1)

        def shaped(taken: Tensor) -> Tensor:
            return taken.reshape(*shape, *taken.shape[1:])

        mask = None
        if self.masked:
            real = torch.arange(index.shape[1], device=index.device) < filled[:, None]
            mask = (real if several else real[0]).to(self.loader.dtype)
        values = {name: shaped(self.loader.values(name, column, flat)) for name, column in columns.items()}
        taken = {name: shaped(t.index_select(0, flat)) for name, t in targets.items()}
        return Batch(
            {name: ragged[name] if name in ragged else values[name] for name in self.loader.rows.inputs},
            taken,
            mask,
            self.loader.shared,
            weighing.of(taken, flat.view(shape)) if weighing else None,
        )


def _tensors(column: Tensor | Windows) -> list[Tensor]:
    return [column.phases, column.starts] if isinstance(column, Windows) else [column]


def _made_of(column: Tensor | Windows, given: Iterator[Tensor]) -> Tensor | Windows:
    """The column with the next of the tensors in place of its own."""
    if isinstance(column, Windows):
        return replace(column, phases=next(given), starts=next(given))
    return next(given)


@contextmanager
def restored(step: Any, *more: Tensor) -> Iterator[None]:
    """Whatever a step learns inside is forgotten after it; so is what happens to `more`."""
    weights, others = step.ensemble.tensors()
    slots = [t for slot in step.slots() for t in slot.values()]
    changed = [t.detach() for t in (*weights.values(), *others.values(), *slots, *more)]
    before, generators = [t.clone() for t in changed], rng_state()
    try:
        yield
    finally:
        for t, old in zip(changed, before, strict=True):
            t.copy_(old)
        set_rng_state(generators)


ROOM_DEVIATIONS = 5
"""Of the number of words in a batch, above their mean. The batches of an epoch are about normal."""


def _room(ragged: Ragged, batch_size: int) -> int:
    """Words in nearly every batch, in round numbers. Of all rows there are, not of those of one split, so that one
    compiled update is enough for all seeds."""
    lengths = ragged.lengths.double()
    words = int(batch_size * lengths.mean() + ROOM_DEVIATIONS * batch_size**0.5 * lengths.std(correction=0))
    unit = 1 << max(words.bit_length() - 5, 0)
    return -(-words // unit) * unit
