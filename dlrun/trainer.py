"""Epochs over batches, for one model or a stack: fit and evaluate, nothing else."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dlrun.contracts import Callback, Output, Schedule, Step
from dlrun.device import rng_state, set_rng_state
from dlrun.errors import RunError
from dlrun.loaders import Loader
from dlrun.stack import State

Logs = dict[str, float]


class Fit:
    """A training in progress: what callbacks see, and what is saved to resume it.

    done: epochs completed; epoch: the one under way or, in `on_epoch_end`, just completed, from 1; batch:
    updates done in the one under way. rows_of: members that trained in it. logs: per member, this epoch's
    values, validation ones with the prefix `val_`. names: one per member, for messages. observers: callbacks
    that keep no state. rate: the learning rate at the beginning of the epoch.
    """

    def __init__(
        self,
        step: Step,
        train: Loader,
        val: Loader | None,
        epochs: int,
        names: list[str],
        schedule: Schedule,
        callbacks: dict[str, Callback],
        observers: list[Callback],
        on_save: Callable[[dict[str, Any]], None],
    ):
        self.step, self.train, self.val = step, train, val
        self.epochs, self.names, self.observers = epochs, names, observers
        self.callbacks = {"schedule": schedule, **callbacks}
        self.on_save = on_save
        self.size = step.ensemble.size
        self.done, self.epoch, self.batch = 0, 0, 0
        self.logs: list[Logs] = [{} for _ in names]
        self.final: list[State | None] = [None] * self.size
        self.rows_of: list[int] = []
        self.best_weights: list[State] = []
        self.totals: Totals | None = None
        self.rate = 0.0
        self._save_wanted = False

    def run(self) -> None:
        """Train until the last epoch or until every member is frozen. Raises RunError when a loss diverges."""
        self._each("on_fit_begin")
        while self.done < self.epochs and self.active_members():
            self.epoch = self.done + 1
            self._each("on_epoch_begin")
            if self.batch == 0:
                self.rate = float(self.step.optimizer.param_groups[0]["lr"])
            trained = self._train_epoch()
            validated = evaluate(self.step, self.val) if self.val else [{} for _ in trained]
            self.logs = [
                {**logs, **{f"val_{name}": value for name, value in val.items()}}
                for logs, val in zip(trained, validated, strict=True)
            ]
            self._refuse_divergence()
            self.done, self.batch, self.totals = self.epoch, 0, None
            self.rows_of = self.active_members()
            self._each("on_epoch_end")
        self._each("on_fit_end")
        for k in self.active_members():
            self.freeze(k)

    def _train_epoch(self) -> list[Logs]:
        self.step.ensemble.train(True)
        self.totals = self.totals or Totals(self.size)
        for batch, rows in self.train.epoch(self.epoch, self.batch):
            self.totals.add(self.step.update(batch), rows)
            self.batch += 1
            self._each("on_batch_end")
        return self.totals.compute(self.step)

    def active_members(self) -> list[int]:
        """Members that still train."""
        return [k for k in range(self.size) if self.final[k] is None]

    def freeze(self, k: int, weights: State | None = None) -> None:
        """Member k is done, with its present weights or the given ones; a stack goes on without it."""
        self.final[k] = self.step.ensemble.member(k) if weights is None else weights

    def higher_is_better(self, name: str) -> bool:
        """Whether a logged value improves upwards."""
        metric = self.step.ensemble.objective.metrics.get(name.removeprefix("val_"))
        return bool(metric and metric.higher_is_better)

    def save(self) -> None:
        """Ask for the state to be saved, which happens when all listeners have heard of the event: the state
        of every callback is then that of the same moment."""
        self._save_wanted = True

    def state_dict(self) -> dict[str, Any]:
        """Position, models, optimizer, generator and callbacks: tensors and plain data."""
        return {
            "done": self.done,
            "batch": self.batch,
            "rate": self.rate,
            "totals": self.totals.state_dict() if self.totals else None,
            "final": self.final,
            "step": self.step.state_dict(),
            "rng": rng_state(),
            "callbacks": {name: c.state_dict() for name, c in self.callbacks.items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self.done, self.batch, self.rate = state["done"], state["batch"], state["rate"]
        self.totals = Totals.from_state(state["totals"], self.train.device) if state["totals"] else None
        self.final = state["final"]
        self.step.load_state_dict(state["step"])
        set_rng_state(state["rng"])
        for name, callback in self.callbacks.items():
            callback.load_state_dict(state["callbacks"][name])

    def _each(self, hook: str) -> None:
        schedule, *others = self.callbacks.values()
        for listener in (schedule, *self.observers, *others):
            getattr(listener, hook)(self)
        if self._save_wanted:
            self._save_wanted = False
            self.on_save(self.state_dict())

    def _refuse_divergence(self) -> None:
        for k in self.active_members():
            for name in ("loss", "val_loss"):
                value = self.logs[k].get(name, 0.0)
                if not math.isfinite(value):
                    raise RunError(
                        f"{name} of {self.names[k]} became {value} in epoch {self.epoch}: "
                        f"lower optimizer.lr, or look for missing or very large values in the data"
                    )


class Totals:
    """Sums over batches, on the device until the epoch ends."""

    def __init__(self, size: int):
        self.sums: Tensor | None = None
        self.rows = np.zeros(size, dtype=np.int64)
        self.kept: list[tuple[dict[str, Tensor], np.ndarray]] = []

    def add(self, output: Output, rows: np.ndarray) -> None:
        """What a batch with `rows` [K] real rows gave."""
        self.sums = output.sums if self.sums is None else self.sums.add_(output.sums)
        self.rows += rows
        if output.kept:
            self.kept.append((output.kept, rows))

    def compute(self, step: Step) -> list[Logs]:
        """Numbers per member; here the device is waited for."""
        assert self.sums is not None
        table = self.sums.detach().cpu().double().reshape(len(self.rows), -1)
        objective = step.ensemble.objective
        return [
            objective.compute(sums, int(n), self._rows_of(k))
            for k, (sums, n) in enumerate(zip(table, self.rows, strict=True))
        ]

    def _rows_of(self, k: int) -> dict[str, np.ndarray]:
        """What was kept of member k's rows, [N, W] by metric, without padding."""
        kept: dict[str, list[Tensor]] = {}
        for batch, rows in self.kept:
            for name, t in batch.items():
                mine = t if len(rows) == 1 else t[k]
                kept.setdefault(name, []).append(mine[: int(rows[k])])
        return {name: torch.cat(parts).cpu().double().numpy() for name, parts in kept.items()}

    def state_dict(self) -> dict[str, Any]:
        """Tensors and plain data."""
        kept = [(batch, rows.tolist()) for batch, rows in self.kept]
        return {"sums": self.sums, "rows": self.rows.tolist(), "kept": kept}

    @classmethod
    def from_state(cls, state: dict[str, Any], device: torch.device) -> Totals:
        """As it was saved."""
        totals = cls(len(state["rows"]))
        totals.sums, totals.rows = state["sums"].to(device), np.array(state["rows"])
        totals.kept = [({n: t.to(device) for n, t in b.items()}, np.array(rows)) for b, rows in state["kept"]]
        return totals


def evaluate(step: Step, loader: Loader) -> list[Logs]:
    """Loss and metrics of each member over a loader, in evaluation mode."""
    step.ensemble.train(False)
    totals = Totals(step.ensemble.size)
    for batch, rows in loader.epoch(0):
        totals.add(step.evaluate(batch), rows)
    return totals.compute(step)
