"""Being told to stop: finish the update under way, save, and leave with the exit code that says why."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from dlrun.contracts import Callback
from dlrun.errors import Interrupted, Preempted

_received: list[int] = []


@contextmanager
def caught() -> Iterator[None]:
    """SIGTERM, SIGUSR1 and Ctrl-C are noted inside, to be obeyed after the next batch; a second Ctrl-C is
    obeyed at once."""
    _received.clear()

    def note(number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and signal.SIGINT in _received:
            raise KeyboardInterrupt
        _received.append(number)

    numbers = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)
    before = {n: signal.signal(n, note) for n in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def obey() -> None:
    """Leave if a signal came. Raises Preempted or Interrupted."""
    if not _received:
        return
    if signal.SIGINT in _received:
        raise Interrupted("interrupted; the state is saved, and the same command goes on from there")
    name = signal.Signals(_received[0]).name
    raise Preempted(f"{name} received; the state is saved, and the same command goes on from there")


class StopOnSignal(Callback):
    """Saves after the batch during which a signal came; then `obey` is called. An observer of `trainer.Fit`."""

    every_update = False

    def on_batch_end(self, fit: Any) -> None:
        """Checked whenever it is heard."""
        if _received:
            fit.save()
