"""The best epoch of each member by one logged value, with the weights it had."""

from __future__ import annotations

import math
from typing import Any

from dlrun.errors import Problem, available, nearest
from dlrun.stack import State


class Best:
    """Best value, its epoch and weights, per member of a fit."""

    def __init__(self, monitor: str, min_delta: float = 0.0, keep_weights: bool = True):
        self.monitor, self.min_delta, self.keep_weights = monitor, min_delta, keep_weights
        self.values: list[float] = []
        self.epochs: list[int] = []
        self.weights: list[State] = []

    def update(self, fit: Any) -> None:
        """Compare this epoch's logs; the first epoch is always the best so far. Where nothing is held out, as in a
        refit, a value of validation is that of training."""
        name = self.monitor if fit.val else self.monitor.removeprefix("val_")
        if not self.values:
            self.values = [math.nan] * fit.size
            self.epochs = [0] * fit.size
            self.weights = [{} for _ in range(fit.size)]
        sign = -1.0 if fit.higher_is_better(name) else 1.0
        for k in fit.active_members():
            value = fit.logs[k][name]
            better = sign * value < sign * self.values[k] - self.min_delta
            if better or not self.epochs[k]:
                self.values[k], self.epochs[k] = value, fit.epoch
                if self.keep_weights:
                    self.weights[k] = fit.step.ensemble.member(k)

    def state_dict(self) -> dict[str, Any]:
        """Tensors and plain data."""
        return {"values": self.values, "epochs": self.epochs, "weights": self.weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Back to a saved state."""
        self.values, self.epochs, self.weights = state["values"], state["epochs"], state["weights"]


def check_monitor(path: str, monitor: str, logged: list[str]) -> list[Problem]:
    """A monitored name must be one that is logged. path: its key in the config."""
    if monitor in logged:
        return []
    why = " (there is no validation)" if monitor.startswith("val_") and "val_loss" not in logged else ""
    hint = f"{nearest(monitor, logged)} {available(logged)}".strip()
    return [Problem(path, f"expected a logged value, received '{monitor}'{why}", hint)]
