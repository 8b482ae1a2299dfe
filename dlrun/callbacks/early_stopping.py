"""Stop a model when the monitored value has not improved for `patience` epochs."""

from __future__ import annotations

from typing import Any

from dlrun.callbacks._best import Best
from dlrun.contracts import Callback
from dlrun.types import Count, NonNegative


def build(
    *,
    monitor: str = "val_loss",
    patience: Count = 3,
    min_delta: NonNegative = 0.0,
    restore_best: bool = True,
) -> EarlyStopping:
    """Each model of a stack stops on its own: it is frozen where it stands and the others go on.

    min_delta: a change counts as improvement only beyond this. restore_best: a stopped model gets the
    weights of its best epoch, as one that reaches the last epoch does.
    """
    return EarlyStopping(monitor, patience, min_delta, restore_best)


class EarlyStopping(Callback):
    """See `build`."""

    def __init__(self, monitor: str, patience: int, min_delta: float, restore_best: bool):
        self.best = Best(monitor, min_delta, keep_weights=restore_best)
        self.patience, self.restore_best = patience, restore_best

    def on_epoch_end(self, fit: Any) -> None:
        """Count epochs without improvement; freeze the members that are done. A refit, whose epochs are given, goes on
        where validation is what is waited for."""
        if self._idle(fit):
            return
        self.best.update(fit)
        for k in fit.active_members():
            if fit.epoch - self.best.epochs[k] >= self.patience:
                fit.freeze(k, self.best.weights[k] if self.restore_best else None)

    def on_fit_end(self, fit: Any) -> None:
        """Members that ran to the end get their best weights too."""
        if self.restore_best and not self._idle(fit):
            for k in fit.active_members():
                fit.freeze(k, self.best.weights[k])

    def _idle(self, fit: Any) -> bool:
        return self.best.monitor.startswith("val_") and not fit.val

    def state_dict(self) -> dict[str, Any]:
        """Best values, epochs and weights."""
        return self.best.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Back to a saved state."""
        self.best.load_state_dict(state)
