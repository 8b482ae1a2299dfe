"""Keep the weights of the best epoch, and the state to resume from."""

from __future__ import annotations

import time
from typing import Any

from dlrun.callbacks._best import Best
from dlrun.contracts import Callback
from dlrun.types import NonNegative


def build(*, monitor: str = "auto", every_seconds: NonNegative = 2.0) -> Checkpoint:
    """monitor: `auto` is val_loss where there is validation, else loss.

    every_seconds: the resume state is written after an epoch when this much time has passed since the last
    time (so much for each run, where several are trained as one); a resumed run ends bit for bit where an
    unbroken one would have, however often it was written.
    """
    return Checkpoint(monitor, every_seconds)


class Checkpoint(Callback):
    """See `build`."""

    def __init__(self, monitor: str, every_seconds: float):
        self.best = Best(monitor)
        self.every_seconds = every_seconds
        self.written = time.monotonic()

    def on_fit_begin(self, fit: Any) -> None:
        """Settle what `auto` monitors."""
        if self.best.monitor == "auto":
            self.best.monitor = "val_loss" if fit.val else "loss"

    def on_epoch_end(self, fit: Any) -> None:
        """Remember the best; write the state when it is time."""
        self.best.update(fit)
        if time.monotonic() - self.written >= self.every_seconds * fit.together:
            fit.save()
            self.written = time.monotonic()

    def on_fit_end(self, fit: Any) -> None:
        """Hand over the best weights."""
        fit.best_weights = self.best.weights

    def state_dict(self) -> dict[str, Any]:
        """Best values, epochs and weights."""
        return self.best.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Back to a saved state."""
        self.best.load_state_dict(state)
