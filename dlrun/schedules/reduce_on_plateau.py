"""The learning rate falls by a factor when the monitored value has not improved for some epochs."""

from __future__ import annotations

import logging
import math
from typing import Any

from dlrun.contracts import Schedule
from dlrun.errors import RunError
from dlrun.types import Count, Natural, NonNegative, Rate

log = logging.getLogger("dlrun")


def build(
    *,
    monitor: str = "val_loss",
    factor: Rate = 0.1,
    patience: Count = 10,
    min_delta: NonNegative = 1e-4,
    cooldown: Natural = 0,
    min_lr: NonNegative = 0.0,
) -> Schedule:
    """Keras's ReduceLROnPlateau: after `patience` epochs without improvement the next one uses `lr * factor`, not
    below `min_lr`, and the count begins anew.

    min_delta: a change counts as improvement only beyond this. cooldown: the count stays at 0 for the
    `cooldown - 1` epochs after a fall (Keras's count: 0 and 1 are the same). Whether up or down is better is
    the metric's to say. Raises RunError where the value is not logged.
    """
    return ReduceOnPlateau(monitor, factor, patience, min_delta, cooldown, min_lr)


class ReduceOnPlateau(Schedule):
    """See `build`. The rate itself is saved with the optimizer."""

    unstackable = "reduce_on_plateau would need a learning rate for each model"

    def __init__(self, monitor: str, factor: float, patience: int, min_delta: float, cooldown: int, min_lr: float):
        self.monitor, self.factor, self.patience = monitor, factor, patience
        self.min_delta, self.cooldown, self.min_lr = min_delta, cooldown, min_lr
        self.best = math.nan  # no value is better than this one: the first epoch settles it
        self.waited, self.cooling = 0, 0

    def on_fit_begin(self, fit: Any) -> None:
        """Refuse to wait for a value of validation that there is none of."""
        if self.monitor.startswith("val_") and not fit.val:
            raise RunError(
                f"schedule.monitor: there is no validation here, and reduce_on_plateau waits for {self.monitor}. "
                "Set schedule.monitor=loss, or hold rows out for validation"
            )

    def on_epoch_end(self, fit: Any) -> None:
        """Compare the value with the best one so far; let the rate fall when it is time."""
        value = fit.logs[0][self.monitor]
        sign = -1.0 if fit.higher_is_better(self.monitor) else 1.0
        if self.cooling:
            self.cooling -= 1
            self.waited = 0
        if math.isnan(self.best) or sign * value < sign * self.best - self.min_delta:
            self.best, self.waited = value, 0
        elif not self.cooling:
            self.waited += 1
            if self.waited >= self.patience:
                self._reduce(fit)

    def _reduce(self, fit: Any) -> None:
        for group in fit.step.optimizer.param_groups:
            lower = max(group["lr"] * self.factor, self.min_lr)
            if lower < group["lr"]:
                log.info(
                    "epoch %d: %s has not improved for %d epochs, the learning rate falls from %g to %g",
                    fit.epoch, self.monitor, self.patience, group["lr"], lower,
                )  # fmt: skip
                group["lr"] = lower
                self.cooling, self.waited = self.cooldown, 0

    def state_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {"best": self.best, "waited": self.waited, "cooling": self.cooling}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Back to a saved state."""
        self.best, self.waited, self.cooling = state["best"], state["waited"], state["cooling"]
