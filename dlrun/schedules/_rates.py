"""Learning rates that are a function of the updates done: nothing to save, exact wherever a run is resumed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dlrun.contracts import Schedule

Share = Callable[[int], float]
"""From the updates done since the run began to the share of the base rate that the next update uses."""


class Rates(Schedule):
    """Sets each parameter group's rate to a share of its base rate, before every epoch and, with `every_update`,
    before every update. plan: from the updates of an epoch and the number of epochs to the share."""

    every_update = False  # `upcoming` knows what comes between two calls

    def __init__(self, plan: Callable[[int, int], Share], every_update: bool = True):
        self.plan, self.moves = plan, every_update

    def on_fit_begin(self, fit: Any) -> None:
        """Remember the base rates, which are saved with the optimizer."""
        for group in fit.step.optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])
        self.share = self.plan(fit.train.steps, fit.epochs)

    def on_epoch_begin(self, fit: Any) -> None:
        """The rate of the epoch's first update, or of the next one where a run is resumed in mid-epoch."""
        self._set(fit)

    def on_batch_end(self, fit: Any) -> None:
        """The rate of the epoch's next update."""
        if self.moves and fit.batch < fit.train.steps:
            self._set(fit)

    def upcoming(self, fit: Any, updates: int) -> list[float]:
        """See `Schedule`."""
        base, done = fit.step.optimizer.param_groups[0]["initial_lr"], self._done(fit)
        return [base * self.share(done + u) for u in range(updates)]

    def _set(self, fit: Any) -> None:
        share = self.share(self._done(fit))
        for group in fit.step.optimizer.param_groups:
            group["lr"] = group["initial_lr"] * share

    def _done(self, fit: Any) -> int:
        done: int = (fit.epoch - 1) * fit.train.steps + fit.batch
        return done


def warmup_updates(updates: int | None, epochs: int, steps: int) -> int:
    """Length of a warm-up, in updates: as given, or that of so many epochs of `steps` updates."""
    return epochs * steps if updates is None else updates


def rising(done: int, length: int, start: float) -> float:
    """The share during a linear warm-up, from `start` at no updates done to 1 at `length`."""
    return start + (1.0 - start) * done / length if done < length else 1.0
