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

    def __init__(self, plan: Callable[[int, int], Share], every_update: bool = True):
        self.plan, self.every_update = plan, every_update

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
        if self.every_update and fit.batch < fit.train.steps:
            self._set(fit)

    def _set(self, fit: Any) -> None:
        share = self.share((fit.epoch - 1) * fit.train.steps + fit.batch)
        for group in fit.step.optimizer.param_groups:
            group["lr"] = group["initial_lr"] * share


def warmup_updates(updates: int | None, epochs: int, steps: int) -> int:
    """Length of a warm-up, in updates: as given, or that of so many epochs of `steps` updates."""
    return epochs * steps if updates is None else updates


def rising(done: int, length: int, start: float) -> float:
    """The share during a linear warm-up, from `start` at no updates done to 1 at `length`."""
    return start + (1.0 - start) * done / length if done < length else 1.0
