"""Start-up is part of the cost: what is imported when."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

LATE = ["torch._dynamo", "sklearn", "matplotlib", "torchvision", "scipy.stats", "sympy", "pooch"]


def imported_after(words: str, folder: Path) -> set[str]:
    """The modules that a command has imported when it ends."""
    code = f"import sys; from dlrun.cli import main; main({words.split()!r}); print(*sys.modules, file=sys.stderr)"
    environment = {**os.environ, "DLRUN_DATA": str(folder / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize("words", ["--help", "train --help", "list task", "list", "runs", "completion bash"])
def test_looking_around_imports_no_torch(tmp_path: Path, words: str) -> None:
    assert "torch" not in imported_after(words, tmp_path)


def test_training_imports_only_what_it_uses(tmp_path: Path) -> None:
    words = "train task=imdb_dense dataset.source=sample trainer.epochs=1 trainer.plots=false"
    there = imported_after(words, tmp_path)
    assert "torch" in there
    assert not there & set(LATE)
