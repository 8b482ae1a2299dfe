"""dlrun itself: `python dlrun_train.py task=imdb_dense …` is `dlrun train task=imdb_dense …`, some epochs per turn.

The whole command runs as users run it; only the beginning of a turn waits for the driver.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from _turns import answer, wait

from dlrun import cli
from dlrun.commands import train as command  # imports no torch: the command sets its environment first


def by_turns() -> None:
    """Patch the recorder, which hears of every epoch. `seconds` is an epoch's share of a turn: updates, and between
    the epochs of a turn whatever dlrun does there (validation, history rows, status, checkpoints)."""
    from dlrun.recording import Recorder

    begin, end = Recorder.on_epoch_begin, Recorder.on_epoch_end
    turn = {"left": 0, "epochs": 0, "began": 0.0, "updated": 0.0}

    def on_epoch_begin(recorder: Recorder, fit: Any) -> None:
        if not turn["left"]:
            turn["left"] = turn["epochs"] = wait()
            turn["began"] = time.perf_counter()
        begin(recorder, fit)

    def on_batch_end(recorder: Recorder, fit: Any) -> None:
        turn["updated"] = time.perf_counter()

    def on_epoch_end(recorder: Recorder, fit: Any) -> None:
        end(recorder, fit)
        turn["left"] -= 1
        if not turn["left"]:
            logs = {name: value for name, value in fit.logs[0].items() if not name.startswith("val_")}
            answer(seconds=(turn["updated"] - turn["began"]) / turn["epochs"], **logs)

    Recorder.on_epoch_begin = on_epoch_begin  # type: ignore[method-assign]
    Recorder.on_batch_end = on_batch_end  # type: ignore[method-assign]
    Recorder.every_update = False  # it may do many updates between two calls, as ever
    Recorder.on_epoch_end = on_epoch_end  # type: ignore[method-assign]


def main(words: list[str]) -> int:
    """Train whenever told."""
    train = command.train

    def patched(config: Any, overrides: list[str]) -> int:
        by_turns()
        return train(config, overrides)

    command.train = patched
    # So many epochs would make `auto` compile what it leaves as it is in a run of the task's own length.
    return cli.main(["train", *words, "trainer.epochs=100000", "trainer.compile=never"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
