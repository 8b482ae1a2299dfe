"""Claims: where their values come from, when they hold, and what `summary.json` says of them."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from dlrun import claims
from dlrun.claims import Claim, compare, read, value_of
from dlrun.errors import ConfigError

SUMMARY = {
    "metrics": {
        "val": {"loss": {"mean": 0.7, "std": 0.1, "best": 0.3, "best_epoch": 4, "per_split": [0.6, 0.8]}},
        "test": {"accuracy": 0.88},
    },
    "baseline": {
        "accuracy": {"value": 0.5, "kind": "most frequent class", "all": {"permutation": {"mean": 0.49, "std": 0.01}}}
    },
    "parameters": {"total": 12, "trainable": 10},
}


def row(fold: int, epoch: int, split: str, loss: float, stage: str = "fit") -> dict[str, object]:
    return {"stage": stage, "repeat": 0, "fold": fold, "epoch": epoch, "split": split, "loss": loss}


ROWS = [
    row(0, 1, "train", 3.0), row(0, 1, "val", 4.0), row(0, 2, "train", 1.0), row(0, 2, "val", 2.0),
    row(1, 1, "train", 5.0), row(1, 1, "val", 6.0), row(1, 2, "train", 3.0), row(1, 2, "val", 5.0),
    row(0, 1, "train", 99.0, "refit"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("test.accuracy", 0.88),
        ("val.loss", 0.7),
        ("val.loss.mean", 0.7),
        ("val.loss.best", 0.3),
        ("val.loss.best_epoch", 4),
        ("val.loss.std", 0.1),
        ("val.loss.epoch_1", 5.0),
        ("val.loss.epoch_2", 3.5),
        ("val.loss.epoch_3", None),
        ("train.loss", 2.0),
        ("train.loss.epoch_1", 4.0),
        ("train.nothing", None),
        ("baseline.accuracy", 0.5),
        ("baseline.accuracy.permutation", 0.49),
        ("baseline.accuracy.nothing", None),
        ("parameters.total", 12),
        ("test.nothing", None),
        ("val.nothing.best", None),
    ],
)
def test_a_path_names_a_value(path, value):
    assert value_of(path, SUMMARY, ROWS) == value


@pytest.mark.parametrize(
    ("bounds", "measured", "verdict"),
    [
        ({"low": 2, "high": 5}, 5, "within 2 to 5"),
        ({"low": 2, "high": 5}, 5.01, "outside 2 to 5"),
        ({"low": 1}, 1, "within 1 or more"),
        ({"low": 1}, 0.9, "outside 1 or more"),
        ({"high": -0.04}, -0.05, "within -0.04 or less"),
        ({"high": -0.04}, 0, "outside -0.04 or less"),
        ({"low": 3, "high": 3}, 3, "within 3"),
        ({"low": 14146316, "high": 14146316}, 14146316, "within 14146316"),
        ({}, 7, "-"),
        ({"low": 1}, None, "not measured"),
        ({"low": 1}, math.nan, "not measured"),
    ],
)
def test_a_claim_holds_within_its_bounds(bounds, measured, verdict):
    assert Claim(claim="c", metric="test.loss", **bounds).verdict(measured) == verdict


def test_infinite_bounds_may_be_written_out(tmp_path):
    (tmp_path / "experiment.yaml").write_text("question: q\nclaims:\n- {claim: c, metric: m, low: 1, high: .inf}\n")
    assert read(tmp_path).claims[0].high == math.inf


def test_a_changed_experiment_is_read_anew(tmp_path):
    for question in ("first", "second"):
        (tmp_path / "experiment.yaml").write_text(f"question: {question}\n")
        assert read(tmp_path).question == question


def test_everything_wrong_in_an_experiment_is_told_at_once(tmp_path):
    text = "question: q\nseeds: []\nclaims:\n- {claim: c, metrik: m, low: x}\n"
    (tmp_path / "experiment.yaml").write_text(text)
    with pytest.raises(ConfigError) as error:
        read(tmp_path)
    assert {p.path for p in error.value.problems} == {"seeds", "claims.0.metric", "claims.0.metrik", "claims.0.low"}
    assert all(p.origin == str(tmp_path / "experiment.yaml") for p in error.value.problems)
    (tmp_path / "experiment.yaml").write_text("question: [")
    with pytest.raises(ConfigError, match="expected"):
        read(tmp_path)


@pytest.fixture
def questions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An experiments folder with one question in it."""
    folder = tmp_path / "experiments" / "small"
    folder.mkdir(parents=True)
    folder.joinpath("experiment.yaml").write_text(
        "question: q\nruns:\n  - a\nclaims:\n"
        "- {run: a, claim: one, metric: test.loss, expected: 1, low: 0, high: 2}\n"
        "- {run: a, claim: figure, metric: test.loss}\n"
        "- {run: a, claim: difference, metric: test.loss, low: 0, minus: b}\n"
        "- {run: a, claim: rise, metric: val.loss, low: 0, minus_metric: val.loss.best}\n"
        "- {run: a, claim: early, metric: val.loss.epoch_1, low: 0}\n"
        "- {run: a, claim: size, metric: parameters.total, low: 0}\n"
        "- {run: ab, claim: of another task, metric: test.loss, low: 0}\n"
        "- {claim: of a demo, metric: x, low: 0}\n"
    )
    monkeypatch.setattr(claims, "EXPERIMENTS", tmp_path / "experiments")
    return folder


def test_a_summary_holds_the_claims_that_its_own_metrics_decide(questions):
    metrics = {"val": {"loss": {"mean": 1.0}}, "test": {"loss": 3.0}}
    (only,) = compare("a", [], "real", metrics)
    assert only == {"claim": "one", "expected": 1.0, "measured": 3.0, "verdict": "outside 0 to 2"}
    (changed,) = compare("a", ["task=a", "seed=3", "optimizer.lr=1"], "real", metrics)
    assert changed["verdict"] == "not compared: changed by optimizer.lr=1"
    (sample,) = compare("a", [], "sample", metrics)
    assert sample["verdict"] == "not compared: sample data"
    (kept,) = compare("a", ["acknowledge=[duplicates]", "trainer.device=cpu"], "real", {"val": {}, "test": {}})
    assert kept["verdict"] == "not measured"
