"""Two runs of one config side by side."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from _running import only_run
from test_stack import FLOAT64, outcome

from dlrun.cli import main

SMALL = ["dataset.source=sample", "architecture.units=[4]", "trainer.epochs=2", "trainer.plots=false",
         "callbacks.checkpoint.every_seconds=0"]  # fmt: skip
BOSTON = ["dataset=boston_housing", "metrics=[mae,r2]", "trainer.batch_size=45"]
POINTS = ["dataset=points_2d", "metrics=[accuracy,roc_auc,f1]", "trainer.batch_size=60"]
WORDS = ["dataset=imdb", "dataset.num_words=500", "metrics=[accuracy]", "trainer.batch_size=60", "trainer.epochs=1"]
ALONE = ["evaluation.validation=0.2"]
"""323 of 404 rows of BOSTON are for training: 7 whole batches and one of 8."""
FOLDS = ["evaluation=kfold", "evaluation.n_splits=3"]
"""269, 269 and 270 are: the first two models' last batch is shorter by one."""


def train(*words: str) -> int:
    """`dlrun train` without a task, which Hydra has to compose once only; the exit code. Later words win."""
    return main(["train", "-q", *SMALL, *words])


def flat(value: Any, path: str = "") -> dict[str, Any]:
    """Every leaf of nested dicts and lists by its path."""
    if isinstance(value, dict):
        return {k: v for key, part in value.items() for k, v in flat(part, f"{path}/{key}").items()}
    if isinstance(value, list):
        return {k: v for i, part in enumerate(value) for k, v in flat(part, f"{path}/{i}").items()}
    return {path: value}


def assert_same(one: str, other: str, tolerance: float = 1e-10) -> None:
    """History, weights and metrics of the runs in two folders of runs."""
    (rows, weights), (rows_of_other, weights_of_other) = outcome(one), outcome(other)
    assert rows.keys() == rows_of_other.keys()
    for key in rows:
        assert rows[key] == pytest.approx(rows_of_other[key], rel=tolerance, abs=tolerance), key
    assert weights.keys() == weights_of_other.keys()
    assert weights
    for name in weights:
        torch.testing.assert_close(weights[name], weights_of_other[name], rtol=tolerance, atol=tolerance)
    metrics = [flat(json.loads(only_run(d).summary.read_text())["metrics"]) for d in (one, other)]
    assert metrics[0] == pytest.approx(metrics[1], rel=tolerance, abs=tolerance)


def assert_compiled_is_eager(words: list[str], graphs: Sequence[object]) -> None:
    """graphs: what the fixture `traced` or `made` fills, which tells whether anything was compiled at all."""
    assert train(*words, FLOAT64, "trainer.compile=always", "runs_dir=compiled") == 0
    assert graphs, only_run("compiled").log.read_text()
    assert "updates are not compiled" not in only_run("compiled").log.read_text()
    made = len(graphs)
    assert train(*words, FLOAT64, "trainer.compile=never", "runs_dir=eager") == 0
    assert len(graphs) == made
    assert only_run("compiled").path.name == only_run("eager").path.name  # one signature
    assert_same("compiled", "eager")


def assert_stacked_is_sequential(*words: str) -> str:
    """Of one config, in float64. Returns the log of the stacked run."""
    assert train(*words, FLOAT64, "evaluation.stack=always", "runs_dir=stacked") == 0
    log = only_run("stacked").log.read_text()
    assert "splits train as one" in log
    assert train(*words, FLOAT64, "evaluation.stack=never", "runs_dir=sequential") == 0
    assert "splits train as one" not in only_run("sequential").log.read_text()
    assert_same("stacked", "sequential")
    return log
