"""A run that was stopped anywhere and started again ends where an unbroken one does, bit for bit."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import kill_and_resume
import pytest
from _running import SMALL, Crash, at_batch, crash, only_run, train

SCHEMES = {
    "holdout": [],
    "momentum": ["optimizer=sgd", "optimizer.lr=0.1", "optimizer.momentum=0.9", "optimizer.nesterov=true"],
    "adam": ["optimizer=adam"],
    "lbfgs": ["optimizer=lbfgs", "optimizer.max_iter=2", "optimizer.history_size=5", "trainer.batch_size=500",
              "trainer.epochs=6"],
    "dropout": ["architecture.dropout=0.5", "architecture.l2=0.001"],
    "dropout in a stack": ["architecture.dropout=0.5", "evaluation=kfold", "evaluation.n_splits=3"],
    "sequential folds": ["evaluation=kfold", "evaluation.n_splits=3", "evaluation.stack=never"],
    "refit and test": ["evaluation.refit=2", "evaluation.test=true"],
    "refit for the best": ["evaluation=kfold", "evaluation.n_splits=2", "evaluation.refit=best"],
    "early stopping": ["callbacks=[checkpoint,early_stopping]", "callbacks.early_stopping.patience=2",
                       "optimizer.lr=0.05", "trainer.epochs=9"],
    "several passes an epoch": ["trainer.steps_per_epoch=8"],
    "a rate that changes with each update": ["schedule=cosine"],
    "a rate that follows validation": ["schedule=reduce_on_plateau", "schedule.patience=1", "optimizer.lr=0.05",
                                       "trainer.epochs=6"],
    "a metric over all rows": ["metrics=[accuracy,roc_auc]", "evaluation=kfold", "evaluation.n_splits=3"],
    "standardised inputs": ["dataset=boston_housing", "dataset.normalize=train", "metrics=[mae,r2]", "evaluation=kfold",
                            "trainer.batch_size=70"],
    "augmented pictures": ["dataset=dogs_vs_cats", "dataset.size=16", "architecture=convnet", "architecture.filters=[4]",
                           "architecture.augmentation={rotation_range: 40, zoom_range: 0.2, horizontal_flip: true}",
                           "evaluation.validation=0.2", "trainer.batch_size=32"],
}  # fmt: skip


@pytest.mark.parametrize("scheme", SCHEMES)
def test_crashed_and_resumed_equals_unbroken(scheme: str, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two crashes in one run, each some updates after the start before it, with the state of each epoch."""
    words = SCHEMES[scheme]
    assert train(*words, "runs_dir=unbroken") == 0
    for updates in (7, 10):
        with monkeypatch.context() as patch:
            at_batch(patch, updates, crash)
            with pytest.raises(Crash):
                train(*words)
    assert train(*words) == 0
    assert kill_and_resume.differences(kill_and_resume.results(Path("runs")),
                                       kill_and_resume.results(Path("unbroken"))) == []  # fmt: skip
    assert "resuming" in only_run().log.read_text()


@pytest.mark.parametrize(
    ("stop", "code"),
    [
        pytest.param("crash", None, id="crash"),
        pytest.param("crash", None, id="crash in every epoch", marks=pytest.mark.slow),
        pytest.param("SIGTERM", 75, id="SIGTERM in every epoch", marks=pytest.mark.slow),
    ],
)
def test_early_stopping_in_a_stack(
    stop: str, code: int | None, request: pytest.FixtureRequest, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state of every callback is that of the same epoch, and each member of a stack stops on its own.

    After a crash a run goes on from its last epoch, after a signal from its last update.
    """
    words = [
        *SCHEMES["early stopping"],
        "evaluation=kfold",
        f"callbacks.checkpoint.every_seconds={0 if code is None else 1000}",
    ]
    train(*words, "runs_dir=unbroken")
    rows = [row for row in only_run("unbroken").read_rows() if row["split"] == "val"]
    ends = [max(row["epoch"] for row in rows if row["fold"] == fold) for fold in range(4)]
    assert len(set(ends)) > 1, "the folds were to stop at different epochs"
    everywhere = range(10, 8 * max(ends), 8)  # two updates into each epoch but the first
    for number in everywhere if "every" in request.node.name else [26]:
        runs_dir = f"runs_dir=runs{number}"
        with monkeypatch.context() as patch:
            if code is None:
                at_batch(patch, number, crash)
                with pytest.raises(Crash):
                    train(*words, runs_dir)
            else:
                at_batch(patch, number, lambda: os.kill(os.getpid(), signal.SIGTERM))
                assert train(*words, runs_dir) == code
        assert train(*words, runs_dir) == 0
        found = kill_and_resume.results(Path(f"runs{number}"))
        assert kill_and_resume.differences(found, kill_and_resume.results(Path("unbroken"))) == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 75), (signal.SIGUSR1, 75), (signal.SIGINT, 130)])
def test_a_signal_saves_in_the_middle_of_an_epoch(
    number: int, code: int, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["architecture.dropout=0.3", "callbacks.checkpoint.every_seconds=1000"]
    train(*words, "runs_dir=unbroken")
    for update in (4, 6):  # in an epoch, and at its last update (6 an epoch: 4, then 2 + 4)
        with monkeypatch.context() as patch:
            at_batch(patch, update, lambda: os.kill(os.getpid(), number))
            assert train(*words) == code
        assert only_run().read_status()["state"] == "preempted"
    assert train(*words) == 0
    assert only_run().read_status()["state"] == "finished"
    log = only_run().log.read_text()
    assert log.count("resuming") == 2
    assert kill_and_resume.differences(kill_and_resume.results(Path("runs")),
                                       kill_and_resume.results(Path("unbroken"))) == []  # fmt: skip


def test_a_second_interrupt_leaves_at_once_and_is_no_failure(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def twice() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        at_batch(patch, 4, twice)
        assert train() == 130
    assert only_run().read_status()["state"] == "preempted"
    assert train() == 0


def test_resumed_updates_are_not_done_twice(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = []
    for update in (4, None):
        with monkeypatch.context() as patch:
            seen: list[int] = []
            from dlrun.steps.supervised import Supervised

            original = Supervised.update
            patch.setattr(Supervised, "update", lambda s, b, o=original, seen=seen: seen.append(1) or o(s, b))
            if update:
                at_batch(patch, update, lambda: os.kill(os.getpid(), signal.SIGTERM))
            train("trainer.compile=never")  # `auto` tries a few updates more
            counts.append(len(seen))
    assert counts == [4, 3 * 6 - 4]


def test_a_finished_run_is_not_repeated(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train() == 0
    first = capsys.readouterr().out
    before = {f: (f.stat().st_mtime_ns, f.stat().st_size) for f in Path("runs").rglob("*")}
    at_batch(monkeypatch, 1, crash)
    assert train() == 0
    assert train("trainer.plots=true", "callbacks.checkpoint.every_seconds=7") == 0  # the same run in other words
    after = {f: (f.stat().st_mtime_ns, f.stat().st_size) for f in Path("runs").rglob("*")}
    assert after == before
    shown = capsys.readouterr().out
    assert shown == first * 2


def test_rerun_keeps_the_old_folder(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train()
    folder = only_run()
    summary = folder.summary.read_bytes()
    for number in (1, 2):
        assert train("rerun=true") == 0
        assert (folder.path.with_name(f"{folder.path.name}.{number}") / "summary.json").exists()
    old = folder.path.with_name(f"{folder.path.name}.1")
    assert (old / "summary.json").read_bytes() == summary
    assert (old / "metrics.jsonl").read_bytes() == folder.metrics.read_bytes()


def test_a_killed_rerun_goes_on(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train()
    for update in (8, 8):
        with monkeypatch.context() as patch:
            at_batch(patch, update, crash)
            with pytest.raises(Crash):
                train("rerun=true")
    assert train("rerun=true") == 0
    folder = only_run()
    names = sorted(p.name for p in folder.path.parent.iterdir())
    assert names == [folder.path.name, f"{folder.path.name}.1"]
    assert folder.log.read_text().count("resuming") == 2
    kept = folder.path.with_name(f"{folder.path.name}.1")
    assert folder.metrics.read_bytes() == (kept / "metrics.jsonl").read_bytes()


def test_a_test_set_opened_by_a_resumed_run_counts_once(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["evaluation.test=true"]
    with monkeypatch.context() as patch:
        patch.setattr("dlrun.runner.score", lambda *a: crash())
        with pytest.raises(Crash):
            train(*words)
    assert train(*words) == 0
    assert len(Path("runs/test_ledger.jsonl").read_text().splitlines()) == 1


def test_killed_twice_at_random_moments(project: Path) -> None:
    """The script's shortest form; `test_killed_ten_times` is the promise itself."""
    words = [*SMALL[:2], "trainer.epochs=20", "trainer.plots=false"]
    (one,) = kill_and_resume.compare(words, times=1, kills=2, seed=1)
    assert len(one.kills) == 2
    assert one.differences == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ["task=imdb_dense", "dataset.source=sample", "trainer.epochs=60"],
        ["task=imdb_dense_final", "dataset.source=sample", "trainer.epochs=20", "evaluation=kfold",
         "evaluation.refit=20", "evaluation.test=true", "architecture.dropout=0.5"],
    ],
    ids=["holdout", "kfold, refit and test"],
)  # fmt: skip
def test_killed_ten_times(words: list[str], project: Path) -> None:
    tries = kill_and_resume.compare(words, times=10, kills=2, seed=1)
    assert [one.differences for one in tries] == [[]] * 10
    assert any(one.resumed for one in tries)


@pytest.mark.slow
def test_killed_ten_times_on_real_data(mirror: Path) -> None:
    tries = kill_and_resume.compare(["task=imdb_dense_final"], times=10, kills=2, seed=2)
    assert [one.differences for one in tries] == [[]] * 10
