"""One update as a function of tensors alone: what is traced, compiled, and replayed.

Everything that an update reads or changes is one of a flat list of tensors that stay the same from call to call:
weights and the optimizer's state, the data, the row numbers of an epoch with a counter that says which batch is
next, the epoch's learning rates, the sums of its metrics. So a call needs no arguments that change, and many calls
can follow each other with nothing between them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from dlrun.contracts import Bags, Batch, Output, Rule
from dlrun.device import rng_state, set_rng_state
from dlrun.loaders import Loader, Plan
from dlrun.optimizers._rule import advance
from dlrun.stack import mixes_rows

State = dict[str, Tensor]


class Program:
    """An update of `step` on the next batch of `loader`.

    inputs: the tensors, in a fixed order. sums: the epoch's running sums, [S] or [K, S]. kept_names: metrics whose
    `keep` each call returns. whole_batches_only: a shorter batch can't be padded here, because its rows are mixed.
    """

    def __init__(self, step: Any, loader: Loader):
        self.step, self.loader = step, loader
        self.device = loader.device
        self.rule: Rule = step.rule
        self.weights, self.others = step.ensemble.tensors()
        self.slots = step.slots()
        given = _first_output(step, loader)
        self.sums = torch.zeros_like(given.sums)
        self.kept_names = sorted(given.kept)
        self.whole_batches_only = loader.padded and mixes_rows(step.ensemble.objective.model)
        self.masked = loader.padded and not self.whole_batches_only
        plan = loader.plan(1)
        self.at = torch.zeros(1, dtype=torch.int64, device=self.device)
        self.index = plan.rows.to(self.device)
        self.filled = plan.filled.to(self.device)
        numbers = dict(self.rule.numbers)
        lr = torch.as_tensor(numbers.pop("lr"), dtype=torch.float64)
        self.rates = torch.zeros(loader.steps, *lr.shape, dtype=torch.float64, device=self.device)
        self.numbers = {n: torch.as_tensor(v, dtype=torch.float64).to(self.device) for n, v in numbers.items()}

    @property
    def inputs(self) -> list[Tensor]:
        """All tensors, in the order of `update`'s arguments."""
        slots = [slot[name] for slot in self.slots for name in sorted(slot)]
        columns = [column for column in self.loader.rows.inputs.values() if not isinstance(column, Bags)]
        tensors = [*self.weights.values(), *self.others.values(), *slots, *self.numbers.values(), *columns,
                   *self.loader.targets.values(), self.sums, self.rates, self.index, self.filled, self.at]  # fmt: skip
        return [t.detach() for t in tensors]

    @contextmanager
    def restored(self) -> Iterator[None]:
        """Whatever is learned inside is forgotten after it."""
        slots = [slot[name] for slot in self.slots for name in sorted(slot)]
        changed = [t.detach() for t in (*self.weights.values(), *self.others.values(), *slots, self.sums, self.at)]
        before, generators = [t.clone() for t in changed], rng_state()
        try:
            yield
        finally:
            for t, old in zip(changed, before, strict=True):
                t.copy_(old)
            set_rng_state(generators)

    def begin(self, plan: Plan, first: int, sums: Tensor | None) -> None:
        """Make batch `first` of an epoch the next one, with what the batches before it gave."""
        self.index.copy_(plan.rows)
        self.filled.copy_(plan.filled)
        self.at.fill_(first)
        self.sums.zero_() if sums is None else self.sums.copy_(sums)

    def update(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Learn from the next batch, changing weights, optimizer state, sums and counter in place. Returns what
        metrics keep, by `kept_names`."""
        given = iter(tensors)
        weights = {name: next(given) for name in self.weights}
        others = {name: next(given) for name in self.others}
        slots = [{name: next(given) for name in sorted(slot)} for slot in self.slots]
        numbers = {name: next(given) for name in self.numbers}
        columns = {name: next(given) for name in self.loader.rows.inputs}
        targets = {name: next(given) for name in self.loader.targets}
        sums, rates, index, filled, at = given

        batch = self._batch(columns, targets, index.index_select(0, at)[0], filled.index_select(0, at)[0])

        def objective(weights: State, others: State) -> tuple[Tensor, Output]:  # changed ones must be arguments
            output = self.step.ensemble.functional(weights, others, batch)
            return output.objective, output

        gradients, output = torch.func.grad(objective, has_aux=True)(weights, others)
        numbers["lr"] = rates.index_select(0, at)[0]
        clipped = self.step.clip(list(gradients.values()))
        for weight, gradient, slot in zip(weights.values(), clipped, slots, strict=True):
            new, state = advance(self.rule, weight, gradient, slot, numbers)
            weight.copy_(new)
            for name, value in slot.items():
                if state[name] is not value:
                    value.copy_(state[name])
        sums.add_(output.sums.detach())
        at.add_(1)
        return tuple(output.kept[name].detach() for name in self.kept_names)

    def _batch(self, columns: State, targets: State, index: Tensor, filled: Tensor) -> Batch:
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
        return Batch(
            {name: shaped(self.loader.values(name, column, flat)) for name, column in columns.items()},
            {name: shaped(t.index_select(0, flat)) for name, t in targets.items()},
            mask,
            self.loader.shared,
        )


def _first_output(step: Any, loader: Loader) -> Output:
    """What a batch gives, for its shapes; nothing is learned and nothing changed."""
    step.ensemble.train(False)
    output: Output = step.evaluate(next(iter(loader.epoch(1))).batch)
    step.ensemble.train(True)
    return output
