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
    """Patch the trainer. `seconds` is an epoch's share of a turn: updates and sums, and between the epochs of a
    turn whatever dlrun does there (history rows, status, checkpoints)."""
    from dlrun.trainer import Fit

    train_epoch = Fit._train_epoch
    turn = {"left": 0, "epochs": 0, "began": 0.0}

    def timed(fit: Fit) -> list[dict[str, float]]:
        if not turn["left"]:
            turn["left"] = turn["epochs"] = wait()
            turn["began"] = time.perf_counter()
        logs = train_epoch(fit)
        turn["left"] -= 1
        if not turn["left"]:
            answer(seconds=(time.perf_counter() - turn["began"]) / turn["epochs"], **logs[0])
        return logs

    Fit._train_epoch = timed  # type: ignore[method-assign]


def main(words: list[str]) -> int:
    """Train whenever told."""
    train = command.train

    def patched(config: Any, overrides: list[str]) -> int:
        by_turns()
        return train(config, overrides)

    command.train = patched
    return cli.main(["train", *words, "trainer.epochs=100000"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
