"""`dlrun train …` with a clock around the updates of each epoch: `python dlrun_clock.py task=boston_dense_long …`.

The whole command runs as users run it; at its end it answers as `_folds.py` does, with `updates` of single models
and the seconds that one of them takes. First epochs, which warm up and compile, and validation are not in them.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from _turns import answer

from dlrun import cli
from dlrun.commands import train as command  # imports no torch: the command sets its environment first


class Clock:
    """updates: done in all. counted, seconds: those after first epochs, and their time."""

    def __init__(self) -> None:
        self.updates, self.counted, self.seconds = 0, 0, 0.0
        self._began = self._updated = 0.0
        self._batches = 0

    def attach(self) -> None:
        """Patch the recorder, which hears of every epoch and of every portion of updates."""
        from dlrun.recording import Recorder

        begin, end = Recorder.on_epoch_begin, Recorder.on_epoch_end

        def on_epoch_begin(recorder: Recorder, fit: Any) -> None:
            begin(recorder, fit)
            self._began = time.perf_counter()

        def on_batch_end(recorder: Recorder, fit: Any) -> None:
            self._updated, self._batches = time.perf_counter(), fit.batch

        def on_epoch_end(recorder: Recorder, fit: Any) -> None:
            updates = self._batches * len(fit.rows_of)
            self.updates += updates
            if fit.epoch > 1:
                self.counted += updates
                self.seconds += self._updated - self._began
            end(recorder, fit)

        Recorder.on_epoch_begin = on_epoch_begin  # type: ignore[method-assign]
        Recorder.on_batch_end = on_batch_end  # type: ignore[method-assign]
        Recorder.every_update = False  # it may do many updates between two calls, as ever
        Recorder.on_epoch_end = on_epoch_end  # type: ignore[method-assign]


def main(words: list[str]) -> int:
    """Train to the end."""
    train, clock = command.train, Clock()

    def patched(config: Any, overrides: list[str]) -> int:
        clock.attach()
        return train(config, overrides)

    command.train = patched
    code = cli.main(["train", *words])
    answer(updates=clock.updates, update_seconds=clock.seconds / clock.counted)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
