"""Small runs for tests of whole runs: a quarter of a second each, on sample data."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dlrun.cli import main
from dlrun.progress import Progress
from dlrun.run_folder import RunFolder

SMALL = ("task=imdb_dense", "trainer.compile=never", "dataset.source=sample", "trainer.epochs=3", "trainer.batch_size=256",
         "trainer.plots=false", "architecture.units=[4]", "callbacks.checkpoint.every_seconds=0")  # fmt: skip
"""1500 training and 1000 validation rows: 6 updates an epoch."""


class Crash(BaseException):
    """A process that ends without a word; no error handler of ours knows it."""


def train(*words: str) -> int:
    """`dlrun train` of a small run in this process; the exit code. Later words win."""
    return main(["train", *SMALL, *words])


def only_run(runs_dir: str | Path = "runs") -> RunFolder:
    """The run in a folder of runs, those kept under a numbered name left out."""
    (config,) = (c for c in Path(runs_dir).glob("*/*/config.yaml") if "." not in c.parent.name)
    return RunFolder(config.parent)


def at_batch(monkeypatch: pytest.MonkeyPatch, number: int, action: Callable[[], Any]) -> None:
    """Do something after the `number`-th update of all runs to come, counted from 1."""
    seen = 0
    original = Progress.on_batch_end

    def on_batch_end(self: Progress, fit: Any) -> None:
        nonlocal seen
        original(self, fit)
        seen += 1
        if seen == number:
            action()

    monkeypatch.setattr(Progress, "on_batch_end", on_batch_end)


def crash() -> None:
    """End here."""
    raise Crash


def process(*words: str, before: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    """`dlrun train` of a small run in a process of its own. before: Python lines that run first in it."""
    code = f"import sys\n{before}\nfrom dlrun.cli import main\nsys.exit(main(sys.argv[1:]))"
    return subprocess.run(
        [sys.executable, "-c", code, "train", *SMALL, *words],
        env={**os.environ, "OMP_NUM_THREADS": "1", **env}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
