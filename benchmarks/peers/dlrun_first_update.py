"""`dlrun train …`, ended right after its first update: `python dlrun_first_update.py task=imdb_dense`."""

from __future__ import annotations

import os
import sys
from typing import Any

from dlrun import cli
from dlrun.commands import train as command  # imports no torch, as `dlrun` itself does not


def main(words: list[str]) -> int:
    """Never returns where an update is reached: the process ends there with 0."""
    train = command.train

    def patched(config: Any, overrides: list[str]) -> int:
        from dlrun.steps.supervised import Supervised

        update = Supervised.update

        def once(step: Supervised, batch: Any) -> None:
            update(step, batch)
            os._exit(0)

        Supervised.update = once  # type: ignore[assignment,method-assign]
        return train(config, overrides)

    command.train = patched
    cli.main(["train", *words, "rerun=true"])
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
