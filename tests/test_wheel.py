"""`pip install .` in another folder gives a working dlrun with its configs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
def test_a_wheel_works_away_from_the_checkout(tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "wheel", str(ROOT), "--no-deps", "-w", str(tmp_path)], check=True, timeout=300)
    (wheel,) = tmp_path.glob("dlrun-*.whl")
    target = tmp_path / "installed"
    subprocess.run([*pip, "install", "--no-deps", "--target", str(target), str(wheel)], check=True, timeout=300)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(target), "DLRUN_DATA": str(tmp_path / "cache")}

    def dlrun(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "dlrun", *words],
            cwd=elsewhere, env=environment, capture_output=True, text=True, timeout=300, check=True,
        )  # fmt: skip
        return done.stdout

    where = subprocess.run(
        [sys.executable, "-c", "import dlrun; print(dlrun.__file__)"],
        cwd=elsewhere, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert where.stdout.startswith(str(target))
    assert "imdb_dense" in dlrun("list", "task")
    assert "inception" in dlrun("list", "block")
    said = dlrun("train", "task=imdb_dense_final", "dataset.source=sample", "trainer.epochs=1", "evaluation.refit=1")
    assert "accuracy" in said
    assert "book" in said  # experiments/ came along
    assert "imdb_dense_final" in dlrun("runs")
