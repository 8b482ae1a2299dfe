"""Epochs over batches, for one model or a stack, of one run or of several: train and evaluate, nothing else."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np

from dlrun.contracts import Callback, Schedule, Step
from dlrun.device import rng_state, set_rng_state
from dlrun.errors import RunError
from dlrun.loaders import Loader
from dlrun.parts_of_step import Part
from dlrun.stack import State
from dlrun.totals import Logs, Totals


class Fit:
    """A run's part of a training in progress: what callbacks see, and what is saved to resume it.

    step: this run's models. done: epochs completed; epoch: the one under way or, in `on_epoch_end`, just completed,
    from 1; batch: updates done in the one under way. together: runs trained at the same time. rows_of: members that
    trained in it. logs: per member, this epoch's values, validation ones with the prefix `val_`. names: one per
    member, for messages. observers: callbacks that keep no state. rate: the learning rate at the beginning of the
    epoch. failed: why this run ended before the others.
    """

    def __init__(
        self,
        step: Part,
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
        self.together = 1
        self.done, self.epoch, self.batch = 0, 0, 0
        self.logs: list[Logs] = [{} for _ in names]
        self.final: list[State | None] = [None] * self.size
        self.rows_of: list[int] = []
        self.best_weights: list[State] = []
        self.totals: Totals | None = None
        self.saved_totals: dict[str, Any] | None = None
        self.rate = 0.0
        self.failed: RunError | None = None
        self.save_wanted = False

    @property
    def schedule(self) -> Schedule:
        """The first of the callbacks."""
        schedule = self.callbacks["schedule"]
        assert isinstance(schedule, Schedule)
        return schedule

    def listeners(self) -> list[Callback]:
        """All who hear of this fit, in their order."""
        schedule, *others = self.callbacks.values()
        return [schedule, *self.observers, *others]

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
        self.save_wanted = True

    def state_dict(self) -> dict[str, Any]:
        """Position, models, optimizer, generator and callbacks: tensors and plain data."""
        return {
            "done": self.done,
            "batch": self.batch,
            "rate": self.rate,
            "totals": self.totals.state_dict(self.step.members) if self.totals else None,
            "final": self.final,
            "step": self.step.state_dict(),
            "rng": rng_state(),
            "callbacks": {name: c.state_dict() for name, c in self.callbacks.items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self.done, self.batch, self.rate = state["done"], state["batch"], state["rate"]
        self.saved_totals = state["totals"]
        self.final = state["final"]
        self.step.load_state_dict(state["step"])
        set_rng_state(state["rng"])
        for name, callback in self.callbacks.items():
            callback.load_state_dict(state["callbacks"][name])

    def end_epoch(self, trained: list[Logs], validated: list[Logs]) -> None:
        """An epoch's values. Raises RunError when a loss diverges."""
        self.logs = [
            {**logs, **{f"val_{name}": value for name, value in val.items()}}
            for logs, val in zip(trained, validated, strict=True)
        ]
        for k in self.active_members():
            for name in ("loss", "val_loss"):
                value = self.logs[k].get(name, 0.0)
                if not math.isfinite(value):
                    raise RunError(
                        f"{name} of {self.names[k]} became {value} in epoch {self.epoch}: "
                        f"lower optimizer.lr, or look for missing or very large values in the data"
                    )
        self.done, self.batch, self.totals = self.epoch, 0, None
        self.rows_of = self.active_members()


class Updates(Protocol):
    """How a training does the updates of an epoch."""

    def epoch(self, training: Training) -> Iterator[int]:
        """Do those that are left of `training.epoch`, adding to its totals; says how many after each portion."""
        ...


class Eagerly:
    """One update after another, each operation at once."""

    def __init__(self, step: Step, loader: Loader):
        self.step, self.loader = step, loader

    def epoch(self, training: Training) -> Iterator[int]:
        """See `Updates`."""
        for batch, rows in self.loader.epoch(training.epoch, training.batch):
            training.totals.add(self.step.update(batch), rows)
            yield 1


class Training:
    """The models of one run, or of several at once, from the first epoch to the last.

    after_save: called when states were saved at somebody's request.
    """

    def __init__(
        self,
        step: Step,
        fits: list[Fit],
        updates: Updates,
        val: Loader | None,
        after_save: Callable[[], None],
    ):
        self.step, self.fits, self.updates, self.val = step, fits, updates, val
        self.after_save = after_save
        self.totals = Totals(step.ensemble.size)
        self._rates: list[float] = []
        for fit in fits:
            fit.together = len(fits)

    epoch = property(lambda self: self.running()[0].epoch)
    batch = property(lambda self: self.running()[0].batch)

    def running(self) -> list[Fit]:
        """Fits with models that still train; they are all at the same update."""
        return [fit for fit in self.fits if fit.active_members()]

    def run(self) -> None:
        """Train until the last epoch or until every member is frozen. Raises RunError when the loss of the only
        run diverges; of several, that one has `failed` and the others go on."""
        self._each("on_fit_begin", self.fits)
        while running := [fit for fit in self.running() if fit.done < fit.epochs]:
            self._begin_epoch(running)
            self.step.ensemble.train(True)
            for updates in self.updates.epoch(self):
                for fit in running:
                    fit.batch += updates
                self._each("on_batch_end", running)
                self._apply_rates()
            trained = self.totals.compute(self.step.ensemble.objective)
            validated: list[Logs] = evaluate(self.step, self.val) if self.val else [{} for _ in trained]
            for fit in running:
                self._end_epoch(fit, trained, validated)
            self._each("on_epoch_end", [fit for fit in running if not fit.failed])
        self._each("on_fit_end", [fit for fit in self.fits if not fit.failed])
        for fit in self.fits:
            for k in fit.active_members():
                fit.freeze(k)

    def upcoming(self, updates: int) -> list[list[float]]:
        """The learning rates of so many updates, [updates][K]."""
        each = [fit.schedule.upcoming(fit, updates) for fit in self.fits]
        return [[rates[u] for fit, rates in zip(self.fits, each, strict=True) for _ in range(fit.size)]
                for u in range(updates)]  # fmt: skip

    def _apply_rates(self) -> None:
        """Several runs' schedules set rates of their own; the optimizer they share learns of them here."""
        if len(self.fits) == 1:
            return
        (rates,) = self.upcoming(1)
        if rates != self._rates:
            self._rates = rates
            group = self.step.optimizer.param_groups[0]
            group["lr"] = np.array(rates) if isinstance(group["lr"], np.ndarray) else rates[0]

    def _begin_epoch(self, running: list[Fit]) -> None:
        saved = [fit.saved_totals for fit in self.fits]
        self.totals = Totals.joined(saved, self.step.ensemble.size, running[0].train.device)
        for fit in running:
            fit.saved_totals, fit.totals = None, self.totals
            fit.epoch = fit.done + 1
        self._each("on_epoch_begin", running)
        self._apply_rates()
        for fit in running:
            if fit.batch == 0:
                fit.rate = float(fit.step.optimizer.param_groups[0]["lr"])

    def _end_epoch(self, fit: Fit, trained: list[Logs], validated: list[Logs]) -> None:
        try:
            fit.end_epoch([trained[k] for k in fit.step.members], [validated[k] for k in fit.step.members])
        except RunError as error:
            if len(self.fits) == 1:
                raise
            fit.failed = error
            for k in fit.active_members():
                fit.freeze(k)

    def _each(self, hook: str, fits: list[Fit]) -> None:
        for fit in fits:
            for listener in fit.listeners():
                getattr(listener, hook)(fit)
        if any(fit.save_wanted for fit in fits):
            for fit in fits:
                fit.save_wanted = False
                fit.on_save(fit.state_dict())
            self.after_save()


def evaluate(step: Step, loader: Loader) -> list[Logs]:
    """Loss and metrics of each member over a loader, in evaluation mode."""
    step.ensemble.train(False)
    totals = Totals(step.ensemble.size)
    for batch, rows in loader.epoch(0):
        totals.add(step.evaluate(batch), rows)
    return totals.compute(step.ensemble.objective)
