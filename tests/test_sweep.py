"""`train -m`: every combination is a run of its own; what fails does not stop the rest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dlrun import cli

QUICK = ["dataset.source=sample", "trainer.epochs=1", "trainer.steps_per_epoch=2", "trainer.plots=false"]


def test_six_runs_and_a_table_that_shows_them(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["task=imdb_dense", "architecture.units=[4,4],[16,16]", "seed=0,1,2", *QUICK]
    assert cli.main(["train", "-m", *words]) == 0
    assert "6 jobs" in capsys.readouterr().out
    summaries = [json.loads(f.read_text()) for f in Path("runs/imdb_dense").glob("*/summary.json")]
    assert sorted(s["seed"] for s in summaries) == [0, 0, 1, 1, 2, 2]
    assert len({s["parameters"]["total"] for s in summaries}) == 2
    assert cli.main(["runs"]) == 0
    table = capsys.readouterr().out.splitlines()
    assert len(table) == 1 + 6
    # two configurations, seeds apart, were judged by the same validation rows
    assert {line.split("\t")[-1] for line in table[1:]} == {"2"}


def test_a_job_of_a_sweep_is_the_run_it_would_be_alone(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "-m", "task=imdb_dense", "evaluation=holdout,kfold", *QUICK]) == 0
    swept = {f.parent.name: f.read_bytes() for f in Path("runs/imdb_dense").glob("*/metrics.jsonl")}
    for evaluation in ("holdout", "kfold"):
        alone = ["train", "task=imdb_dense", f"evaluation={evaluation}", *QUICK, "runs_dir=alone"]
        assert cli.main(alone) == 0
    alone_rows = {f.parent.name: f.read_bytes() for f in Path("alone/imdb_dense").glob("*/metrics.jsonl")}
    assert alone_rows == swept


def test_a_failing_job_is_shown_and_the_others_go_on(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["task=imdb_dense", "optimizer=sgd", "optimizer.lr=1e30,0.1", *QUICK, "trainer.epochs=2"]
    assert cli.main(["train", "-m", *words]) == 4
    captured = capsys.readouterr()
    assert "error: " in captured.err
    assert "failed: " in captured.out
    assert "val loss" in captured.out
    states = [json.loads(f.read_text())["state"] for f in Path("runs/imdb_dense").glob("*/status")]
    assert sorted(states) == ["failed", "finished"]


def test_a_run_may_start_from_the_weights_of_another(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "task=imdb_dense", *QUICK, "seed=1"]) == 0
    (first,) = Path("runs/imdb_dense").iterdir()
    continued = ["train", "task=imdb_dense", *QUICK, "init_from=imdb_dense", "optimizer=sgd", "optimizer.lr=1e-12"]
    assert cli.main(continued) == 0
    values = {}
    for folder in Path("runs/imdb_dense").iterdir():
        values[folder.name] = json.loads((folder / "summary.json").read_text())["metrics"]["val"]["loss"]["mean"]
    (second,) = set(values) - {first.name}
    assert values[second] == pytest.approx(values[first.name], abs=1e-6)  # it hardly moved from where it began
    capsys.readouterr()
    assert cli.main(["train", "task=imdb_dense", *QUICK, "init_from=imdb_dense", "architecture.units=[16,16,16]"]) == 2
    text = " ".join(capsys.readouterr().err.split())
    assert "init_from: runs/imdb_dense/" in text
    assert "missing dense_3.kernel" in text


@pytest.mark.parametrize("evaluation", ["kfold", "iterated_kfold"])
@pytest.mark.parametrize("task", ["imdb_dense", "mnist_dense"])
def test_folds_work_on_both_tasks(project: Path, task: str, evaluation: str) -> None:
    words = [f"evaluation={evaluation}", "evaluation.n_splits=3", "evaluation.n_repeats=2", *QUICK]
    assert cli.main(["train", f"task={task}", *words]) == 0
    (summary,) = Path(f"runs/{task}").glob("*/summary.json")
    accuracy = json.loads(summary.read_text())["metrics"]["val"]["accuracy"]
    assert len(accuracy["per_split"]) == 6
    assert accuracy["std"] > 0


def test_a_chain_keeps_to_its_seed(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`init_from=TASK` takes the run of the same seed, and else the newest."""
    for seed in (1, 2):
        assert cli.main(["train", "task=imdb_dense", *QUICK, f"seed={seed}"]) == 0
    first = {json.loads(f.read_text())["seed"]: f.parent.name for f in Path("runs/imdb_dense").glob("*/summary.json")}
    for count, (seed, origin) in enumerate([(1, first[1]), (2, first[2]), (3, first[2])], start=1):
        for word in ("imdb_dense", origin):  # the same run, which is found finished the second time
            assert cli.main(["train", "task=imdb_dense_tanh", *QUICK, f"seed={seed}", f"init_from={word}"]) == 0
        assert len(list(Path("runs/imdb_dense_tanh").iterdir())) == count
    capsys.readouterr()
    assert cli.main(["train", "task=imdb_dense_tanh", *QUICK, "init_from=imdb_small"]) == 2
    assert "train it first: dlrun train task=imdb_small" in capsys.readouterr().err
