"""`hydra/launcher=stacked`: jobs that differ in numbers are trained as one, and end where each alone would have ended."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from _running import Crash, at_batch, crash
from hydra.types import RunMode
from omegaconf import OmegaConf
from safetensors.torch import load_file

from dlrun import cli
from dlrun.commands.train import composer_for
from dlrun.run_folder import RunFolder

STACKED = "hydra/launcher=stacked"
BOSTON = ["task=boston_dense_final", "dataset.source=sample", "evaluation.validation=101", "evaluation.test=false",
          "trainer.epochs=3", "trainer.batch_size=64", "trainer.plots=false", "trainer.precision=float64",
          "architecture.units=[4]", "callbacks.checkpoint.every_seconds=0"]  # fmt: skip
IMDB = ["task=imdb_dense", "dataset.source=sample", "trainer.epochs=2", "trainer.batch_size=256", "trainer.plots=false",
        "trainer.precision=float64", "architecture.units=[4]"]  # fmt: skip

SWEEPS = {
    "learning rates and seeds": [*BOSTON, "optimizer.lr=0.001,0.01", "seed=0,1"],
    "sgd": [*BOSTON, "optimizer=sgd", "optimizer.lr=1e-5,1e-4", "optimizer.momentum=0.5,0.9"],
    "adam": [*BOSTON, "optimizer=adam", "optimizer.beta_1=0.5,0.9", "optimizer.epsilon=1e-8,1e-4"],
    "adamw": [*BOSTON, "optimizer=adamw", "optimizer.weight_decay=0.004,0.1", "optimizer.lr=0.001,0.01"],
    "adagrad": [*BOSTON, "optimizer=adagrad", "optimizer.lr=0.01,0.1"],
    "rmsprop": [*BOSTON, "optimizer=rmsprop", "optimizer.rho=0.7,0.9", "optimizer.momentum=0.3", "optimizer.centered=true"],
    "dropout and penalties": [*BOSTON, "architecture.dropout=0.2,0.5", "architecture.l1=0.001,0.01", "architecture.l2=0.1"],
    "folds": [*BOSTON[:2], "evaluation=kfold", "evaluation.n_splits=3", *BOSTON[4:], "evaluation.stack_size=4",
              "optimizer.lr=0.001,0.01", "seed=0,1"],
    "a schedule and clipping": [*BOSTON, "schedule=cosine", "step.clipnorm=1", "optimizer.lr=0.001,0.01"],
    "a schedule of each its own": [*BOSTON, "schedule=reduce_on_plateau", "schedule.monitor=loss", "schedule.patience=1",
                                   "schedule.min_delta=100", "optimizer.lr=0.001,0.01", "trainer.epochs=6"],
    "early stopping": [*BOSTON, "callbacks=[checkpoint,early_stopping]", "callbacks.early_stopping.patience=1",
                       "trainer.epochs=12", "optimizer.lr=0.0001,0.03,0.1"],
    "refit and test": [*BOSTON, "evaluation.refit=best", "evaluation.test=true", "optimizer.lr=0.001,0.1"],
    "multi-hot rows": [*IMDB, "optimizer.lr=0.001,0.01", "seed=0,1"],
}  # fmt: skip


def sweep(*words: str) -> int:
    return cli.main(["train", "-m", *words])


def runs(folder: str) -> dict[str, RunFolder]:
    """By signature."""
    return {f.parent.name: RunFolder(f.parent) for f in Path(folder).glob("*/*/config.yaml")}


def told(run: RunFolder) -> tuple[dict[tuple[Any, ...], dict[str, float]], dict[str, Any]]:
    """History by stage, split, epoch and part; and what does not depend on the clock of the summary."""
    rows = {}
    for row in run.read_rows():
        rows[tuple(row.pop(k) for k in ("stage", "repeat", "fold", "epoch", "split"))] = row
    summary = json.loads(run.summary.read_text())
    return rows, {k: v for k, v in summary.items() if not k.startswith("seconds")}


def close(ours: Any, others: Any) -> bool:
    """Numbers to 1e-10, all else the same."""
    if isinstance(ours, dict):
        return ours.keys() == others.keys() and all(close(ours[k], others[k]) for k in ours)
    if isinstance(ours, list):
        return len(ours) == len(others) and all(close(a, b) for a, b in zip(ours, others, strict=True))
    return bool(ours == (pytest.approx(others, rel=1e-10, abs=1e-10) if isinstance(ours, float) else others))


def assert_each_is_what_it_is_alone(together: str, alone: str, jobs: int) -> None:
    ours, others = runs(together), runs(alone)
    assert ours.keys() == others.keys()
    assert len(ours) == jobs
    for signature, run in ours.items():
        assert run.read_status()["state"] == "finished"
        assert all(close(a, b) for a, b in zip(told(run), told(others[signature]), strict=True)), signature
        files = sorted(f.name for f in (run.path / "checkpoints").glob("*.safetensors"))
        assert files == sorted(f.name for f in (others[signature].path / "checkpoints").glob("*.safetensors"))
        for name in files:
            weights = load_file(run.path / "checkpoints" / name)
            for key, value in load_file(others[signature].path / "checkpoints" / name).items():
                torch.testing.assert_close(weights[key], value, rtol=1e-10, atol=1e-10)


def test_every_number_may_differ(project: Path, sweeping: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = SWEEPS[sweeping]
    jobs = 1
    for word in words:
        jobs *= word.count(",") + 1 if "[" not in word else 1
    assert sweep(STACKED, *words, "runs_dir=together") == 0
    assert sweep(*words, "runs_dir=alone", "trainer.compile=never", "evaluation.stack=never") == 0
    assert f"{jobs} jobs: {jobs} as one" in capsys.readouterr().err
    assert_each_is_what_it_is_alone("together", "alone", jobs)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The slower sweeps are marked."""
    if "sweeping" in metafunc.fixturenames:
        slow = {"adam", "adagrad", "refit and test"}
        metafunc.parametrize(
            "sweeping", [pytest.param(s, marks=[pytest.mark.slow] if s in slow else []) for s in SWEEPS]
        )


def test_what_does_not_fit_is_grouped_and_said(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Dropout 0 makes another net than 0.2 and 0.5, two widths make two; L-BFGS fits with nobody."""
    words = ["architecture.units=[4],[3]", "architecture.dropout=0,0.2,0.5", "trainer.epochs=1"]
    assert sweep(STACKED, *BOSTON, *words) == 0
    assert "6 jobs: 1 alone + 2 as one + 1 alone + 2 as one" in capsys.readouterr().err
    assert sweep(STACKED, *BOSTON, "optimizer=lbfgs,adam", "seed=0,1", "trainer.epochs=1") == 0
    assert "4 jobs: 1 alone + 1 alone + 2 as one" in capsys.readouterr().err
    assert {run.read_status()["state"] for run in runs("runs").values()} == {"finished"}


def test_one_that_diverges_does_not_stop_the_others(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [*BOSTON, "optimizer=sgd", "optimizer.lr=1e-6,1e3,1e-5"]
    assert sweep(STACKED, *words, "runs_dir=together") == 4
    captured = capsys.readouterr()
    assert "became" in captured.err
    assert captured.out.count("failed: ") == 1
    assert sorted(r.read_status()["state"] for r in runs("together").values()) == ["failed", "finished", "finished"]
    (failed,) = [r for r in runs("together").values() if r.read_status()["state"] == "failed"]
    assert not failed.summary.exists()
    assert "became" in failed.read_status()["why"]


def test_finished_jobs_are_not_repeated_and_equal_ones_done_once(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sweep(*BOSTON, "optimizer.lr=0.01", "seed=0") == 0
    (first,) = runs("runs").values()
    history = first.metrics.read_bytes()
    assert sweep(STACKED, *BOSTON, "optimizer.lr=0.01,0.02,0.010", "seed=0") == 0
    assert "finished before" in capsys.readouterr().err
    assert len(runs("runs")) == 2
    assert first.metrics.read_bytes() == history


@pytest.mark.parametrize("stop", ["crash", "SIGTERM"])
def test_stopped_and_started_again(stop: str, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one again, bit for bit; and one of the runs goes on alone."""
    words = [*BOSTON, "optimizer=adam", "architecture.dropout=0.2", "optimizer.lr=0.001,0.01", "seed=0,1"]
    assert sweep(STACKED, *words, "runs_dir=unbroken") == 0
    for runs_dir in ("runs", "apart"):
        with monkeypatch.context() as patch:
            if stop == "crash":
                at_batch(patch, 26, crash)  # each of 4 runs hears of 5 updates an epoch
                with pytest.raises(Crash):
                    sweep(STACKED, *words, f"runs_dir={runs_dir}")
            else:
                at_batch(patch, 26, lambda: os.kill(os.getpid(), signal.SIGTERM))
                assert sweep(STACKED, *words, f"runs_dir={runs_dir}") == 75
                assert {r.read_status()["state"] for r in runs(runs_dir).values()} == {"preempted"}
    assert sweep(STACKED, *words) == 0
    unbroken = runs("unbroken")
    for signature, run in runs("runs").items():
        assert told(run) == told(unbroken[signature])
        assert "resuming" in run.log.read_text()
    alone = [w.partition(",")[0] if w.startswith(("optimizer.lr", "seed")) else w for w in words]
    assert cli.main(["train", *alone, "runs_dir=apart"]) == 0
    (finished,) = [r for r in runs("apart").values() if r.read_status()["state"] == "finished"]
    assert all(close(a, b) for a, b in zip(told(finished), told(unbroken[finished.path.name]), strict=True))
    assert sweep(STACKED, *words, "runs_dir=apart") == 0
    assert_each_is_what_it_is_alone("apart", "unbroken", 4)


def test_a_composer_gives_what_hydra_gives_whatever_it_composed_before(project: Path) -> None:
    """Words that set values are applied to what the others lead to, which is kept."""
    said = [["task=imdb_dense"], ["task=boston_dense", "metrics=[mae,mse]"], ["task=boston_dense_long", "guards=[]"],
            ["task=imdb_dense", "optimizer=adam", "optimizer.lr=3"], ["task=imdb_dense", "seed=1"],
            ["task=imdb_dense", "+optimizer.new=[1,{a:2}]", "~architecture.units", "trainer.epochs=null"],
            ["seed=3", "dataset=mnist", "runs_dir='a b'"]]  # fmt: skip
    one = composer_for([], [])
    composed = [one.compose(words).to_yaml(resolve=True) for words in said]
    assert composed == [composer_for([], []).compose(words).to_yaml(resolve=True) for words in said]
    assert composed == [one.compose(words).to_yaml(resolve=True) for words in reversed(said)][::-1]
    for words in said:
        whole, choices = composer_for([], [])._compose_anew(words, RunMode.RUN)
        config, chosen = one._hydra_compose(words, RunMode.RUN)
        assert (OmegaConf.to_container(config), chosen) == (OmegaConf.to_container(whole), choices)
