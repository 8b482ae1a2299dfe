"""dlrun itself: `python dlrun_train.py task=imdb_dense …` is `dlrun train task=imdb_dense …`, one epoch per turn.

The whole command runs as users run it; only the beginning of each epoch waits for the driver.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from _turns import answer, wait

from dlrun import cli
from dlrun.commands import train as command  # imports no torch: the command sets its environment first


def by_turns() -> None:
    """Patch the trainer. `seconds` is an epoch's updates and sums, as in the other contenders; `whole` also has
    what dlrun does between epochs: history row, status, checkpoint."""
    from dlrun.trainer import Fit

    train_epoch = Fit._train_epoch
    last: dict[str, Any] = {}

    def timed(fit: Fit) -> list[dict[str, float]]:
        if last:
            answer(whole=time.perf_counter() - last.pop("began"), **last)
        wait()
        began = time.perf_counter()
        logs = train_epoch(fit)
        last.update(began=began, seconds=time.perf_counter() - began, **logs[0])
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
