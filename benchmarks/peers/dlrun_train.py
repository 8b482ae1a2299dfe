"""dlrun itself: `python dlrun_train.py task=imdb_dense …` is `dlrun train task=imdb_dense …`, one epoch per turn.

The whole command runs as users run it; only the beginning of each epoch waits for the driver.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from _turns import answer, wait

from dlrun import cli, trainer


def main(words: list[str]) -> int:
    """Train whenever told. `seconds` is the epoch's updates and sums, as in the other contenders; `whole` also
    has what dlrun does between epochs: history row, status, checkpoint."""
    train_epoch = trainer.Fit._train_epoch
    last: dict[str, Any] = {}

    def timed(fit: trainer.Fit) -> list[dict[str, float]]:
        now = time.perf_counter()
        if last:
            answer(whole=now - last.pop("began"), **last)
        wait()
        last["began"] = began = time.perf_counter()
        logs = train_epoch(fit)
        last.update(seconds=time.perf_counter() - began, **logs[0])
        return logs

    trainer.Fit._train_epoch = timed  # type: ignore[method-assign]
    return cli.main(["train", *words, "trainer.epochs=100000"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
