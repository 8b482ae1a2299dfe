"""K models trained as one end where each alone would have ended."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from _running import only_run, train
from safetensors.torch import load_file

from dlrun.registry import names
from dlrun.stack import why_not

FLOAT64 = "trainer.precision=float64"
CLOSE = {"rtol": 1e-10, "atol": 1e-10}

OPTIMIZERS = {
    "sgd": ["optimizer.lr=0.1", "optimizer.momentum=0.9", "optimizer.nesterov=true"],
    "rmsprop": ["optimizer.momentum=0.3", "optimizer.centered=true"],
    "adam": [],
    "adamw": [],
    "adagrad": [],
}
SCHEMES = {
    "uneven folds": ["evaluation=kfold", "evaluation.n_splits=7"],
    "repeated folds": ["evaluation=kfold", "evaluation.n_splits=2", "evaluation.n_repeats=2"],
    "iterated folds": ["evaluation=iterated_kfold", "evaluation.n_splits=3", "evaluation.n_repeats=2"],
    "repeated holdout": ["evaluation=holdout", "evaluation.order=shuffled", "evaluation.n_repeats=3"],
    "refit": ["evaluation=kfold", "evaluation.refit=best", "evaluation.test=true"],
    "several passes": ["evaluation=kfold", "trainer.steps_per_epoch=10"],
    "part of a pass": ["evaluation=kfold", "trainer.steps_per_epoch=3"],
    "a schedule": ["evaluation=kfold", "schedule=cosine"],
    "metrics over all rows": ["evaluation=kfold", "evaluation.n_splits=7", "metrics=[accuracy,roc_auc,f1]"],
    "standardised in each fold": ["dataset=boston_housing", "dataset.normalize=train", "metrics=[mae,r2]",
                                  "evaluation=kfold", "trainer.batch_size=64"],
    "early stopping": ["evaluation=kfold", "callbacks=[checkpoint,early_stopping]", "optimizer.lr=0.03",
                       "callbacks.early_stopping.patience=1", "trainer.epochs=8"],
}  # fmt: skip


def outcome(runs_dir: str) -> tuple[dict[tuple[Any, ...], dict[str, float]], dict[str, dict[str, torch.Tensor]]]:
    """History values by (stage, repeat, fold, epoch, part), and weights by file name."""
    folder = only_run(runs_dir)
    rows = {}
    for row in folder.read_rows():
        key = tuple(row.pop(k) for k in ("stage", "repeat", "fold", "epoch", "split"))
        assert key not in rows
        rows[key] = row
    return rows, {f.name: load_file(f) for f in (folder.path / "checkpoints").glob("*.safetensors")}


def assert_stacked_is_sequential(words: list[str]) -> None:
    """Also the test and validation results in summary.json."""
    assert train(*words, FLOAT64, "evaluation.stack=always", "runs_dir=stacked") == 0
    assert train(*words, FLOAT64, "evaluation.stack=never", "runs_dir=sequential") == 0
    assert only_run("stacked").path.name == only_run("sequential").path.name  # one signature
    assert "splits train as one" in only_run("stacked").log.read_text()
    assert "splits train as one" not in only_run("sequential").log.read_text()
    (rows, weights), (rows_alone, weights_alone) = outcome("stacked"), outcome("sequential")
    assert rows.keys() == rows_alone.keys()
    for key in rows:
        assert rows[key] == pytest.approx(rows_alone[key], rel=1e-10, abs=1e-10), key
    assert weights.keys() == weights_alone.keys()
    assert len(weights) >= 4
    for name in weights:
        torch.testing.assert_close(weights[name], weights_alone[name], **CLOSE)
    summaries = [json.loads(only_run(d).summary.read_text())["metrics"] for d in ("stacked", "sequential")]
    for name, value in summaries[0]["val"].items():
        alone = summaries[1]["val"][name]
        assert value.pop("per_split") == pytest.approx(alone.pop("per_split"), rel=1e-10)
        assert value == pytest.approx(alone, rel=1e-10, abs=1e-10)
    assert summaries[0]["test"] == pytest.approx(summaries[1]["test"], rel=1e-10)


@pytest.mark.parametrize("optimizer", sorted(set(names("optimizer")) - {"lbfgs"}))
def test_every_optimizer(optimizer: str, project: Path) -> None:
    """2500 rows in 3 folds of 834, 833 and 833: the last batches differ in length, so masks count."""
    assert_stacked_is_sequential(
        [f"optimizer={optimizer}", *OPTIMIZERS[optimizer], "evaluation=kfold", "evaluation.n_splits=3",
         "architecture.units=[4,3]", "architecture.dropout=0.4", "architecture.l2=0.01", "trainer.epochs=2"]
    )  # fmt: skip


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme(scheme: str, project: Path) -> None:
    assert_stacked_is_sequential(["architecture.dropout=0.2", "trainer.epochs=2", *SCHEMES[scheme]])


def test_members_of_a_stack_are_those_of_another(project: Path) -> None:
    """A member's result depends on its own split and seeds, not on its neighbours."""
    words = ["evaluation=holdout", "evaluation.order=shuffled", FLOAT64]
    train(*words, "evaluation.n_repeats=2", "runs_dir=two")
    train(*words, "evaluation.n_repeats=4", "runs_dir=four")
    two, four = outcome("two")[0], outcome("four")[0]
    for key in two:
        assert two[key] == pytest.approx(four[key], rel=1e-10)


def test_splits_are_grouped_by_their_number_of_updates(project: Path) -> None:
    """2500 rows in 3 folds: 1666, 1667 and 1667 train. In batches of 833 that is 2, 3 and 3 updates."""
    words = ["evaluation=kfold", "evaluation.n_splits=3", "trainer.batch_size=833"]
    assert train(*words) == 0
    assert "splits train as one: stack of 1 + stack of 2" in only_run().log.read_text()
    order = [(row["epoch"], row["fold"]) for row in only_run().read_rows() if row["split"] == "train"]
    assert order[:3] == [(1, 0), (2, 0), (3, 0)]
    assert Counter(fold for _, fold in order) == {0: 3, 1: 3, 2: 3}
    assert_stacked_is_sequential(words)


def test_lbfgs_falls_back_and_says_why(project: Path) -> None:
    words = ["optimizer=lbfgs", "optimizer.max_iter=2", "evaluation=kfold", "evaluation.n_splits=2"]
    assert train(*words, "trainer.epochs=1") == 0
    log = only_run().log.read_text()
    assert "splits train one after another: optimizer: L-BFGS takes one step length for all" in log


def test_always_makes_the_reason_an_error(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train("optimizer=lbfgs", "evaluation=kfold", "evaluation.stack=always") == 2
    error = capsys.readouterr().err
    assert "evaluation.stack" in error
    assert "L-BFGS takes one step length" in error
    assert "use auto or never" in error
    assert not Path("runs").exists()


def test_why_not() -> None:
    plain = torch.nn.Sequential(torch.nn.Linear(2, 2))
    assert why_not(plain, {}) is None
    assert why_not(plain, {"optimizer": "it adapts to all weights"}) == "optimizer: it adapts to all weights"
    assert "layer 0: torch's fused recurrent layers" in str(why_not(torch.nn.Sequential(torch.nn.GRU(2, 2)), {}))
