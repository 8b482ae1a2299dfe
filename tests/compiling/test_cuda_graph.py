"""On a GPU an update is captured as a CUDA graph; it ends where the eager one does, and `auto` takes it."""

from __future__ import annotations

from pathlib import Path

import pytest
from _comparing import BOSTON, FOLDS, assert_compiled_is_eager, train
from _running import only_run

pytestmark = pytest.mark.gpu
GPU = "trainer.device=cuda"


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop", "adam", "adamw"])
@pytest.mark.parametrize("models", ["one", "a stack"])
def test_captured_equals_eager(optimizer: str, models: str, project: Path) -> None:
    words = [*BOSTON, *(FOLDS if models == "a stack" else []), f"optimizer={optimizer}", "optimizer.lr=0.001", GPU]
    assert_compiled_is_eager([*words, "architecture.dropout=0.3", "schedule=cosine"], ["a CUDA graph"])


def test_auto_captures(project: Path) -> None:
    assert train(*BOSTON, GPU) == 0
    assert "the update is captured as a CUDA graph" in only_run().log.read_text()
