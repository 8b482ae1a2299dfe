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
    "adagrad": ["optimizer=adagrad"],
    "centered": ["optimizer.momentum=0.5", "optimizer.centered=true"],
    "lbfgs": ["optimizer=lbfgs", "optimizer.max_iter=3", "optimizer.history_size=5", "trainer.batch_size=750",
              "trainer.epochs=9"],
    "dropout": ["architecture.dropout=0.5", "architecture.l2=0.001"],
    "dropout in a stack": ["architecture.dropout=0.5", "evaluation=kfold", "evaluation.n_splits=3"],
    "sequential folds": ["evaluation=kfold", "evaluation.n_splits=3", "evaluation.stack=never"],
    "repeats": ["evaluation=holdout", "evaluation.n_repeats=2", "trainer.epochs=2"],
    "refit and test": ["evaluation.refit=2", "evaluation.test=true"],
    "refit for the best": ["evaluation=kfold", "evaluation.n_splits=2", "evaluation.refit=best"],
    "early stopping": ["callbacks=[checkpoint,early_stopping]", "callbacks.early_stopping.patience=2",
                       "optimizer.lr=0.05", "trainer.epochs=9"],
    "early stopping in a stack": ["callbacks=[checkpoint,early_stopping]", "callbacks.early_stopping.patience=2",
                                  "optimizer.lr=0.05", "trainer.epochs=9", "evaluation=kfold"],
    "several passes an epoch": ["trainer.steps_per_epoch=8"],
}  # fmt: skip


@pytest.mark.parametrize("scheme", SCHEMES)
def test_crashed_and_resumed_equals_unbroken(
    scheme: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three crashes in one run, each some updates after the start before it, with the state of each epoch."""
    words = SCHEMES[scheme]
    assert train(*words, "runs_dir=unbroken") == 0
    for updates in (7, 9, 11):
        with monkeypatch.context() as patch:
            at_batch(patch, updates, crash)
            try:
                train(*words)
            except Crash:
                continue
            assert updates > 7, "the run was too short to crash at all"
            break
    assert train(*words) == 0
    assert kill_and_resume.differences(kill_and_resume.results(Path("runs")),
                                       kill_and_resume.results(Path("unbroken"))) == []  # fmt: skip
    assert "resuming" in only_run().log.read_text()


@pytest.mark.parametrize("every_seconds", ["0", "1000"])
def test_early_stopping_resumes_from_each_epoch(
    every_seconds: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state of every callback is that of the same epoch, and each member of a stack stops on its own."""
    words = [*SCHEMES["early stopping in a stack"], f"callbacks.checkpoint.every_seconds={every_seconds}"]
    train(*words, "runs_dir=unbroken")
    rows = [row for row in only_run("unbroken").read_rows() if row["split"] == "val"]
    ends = [max(row["epoch"] for row in rows if row["fold"] == fold) for fold in range(4)]
    assert len(set(ends)) > 1, "the folds were to stop at different epochs"
    updates = 8 * max(ends)
    for number in range(10, updates, 8):  # two updates into each epoch but the first
        with monkeypatch.context() as patch:
            at_batch(patch, number, lambda: os.kill(os.getpid(), signal.SIGTERM) if every_seconds != "0" else crash())
            if every_seconds == "0":
                with pytest.raises(Crash):
                    train(*words, f"runs_dir=runs{number}")
            else:
                assert train(*words, f"runs_dir=runs{number}") == 75
        assert train(*words, f"runs_dir=runs{number}") == 0
        found = kill_and_resume.results(Path(f"runs{number}"))
        assert kill_and_resume.differences(found, kill_and_resume.results(Path("unbroken"))) == []


@pytest.mark.parametrize(
    ("number", "code", "state"),
    [(signal.SIGTERM, 75, "preempted"), (signal.SIGUSR1, 75, "preempted"), (signal.SIGINT, 130, "preempted")],
)
def test_a_signal_saves_in_the_middle_of_an_epoch(
    number: int, code: int, state: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["architecture.dropout=0.3", "callbacks.checkpoint.every_seconds=1000"]
    train(*words, "runs_dir=unbroken")
    for update in (4, 6):  # in an epoch, and at its last update (6 an epoch: 4, then 2 + 4)
        with monkeypatch.context() as patch:
            at_batch(patch, update, lambda: os.kill(os.getpid(), number))
            assert train(*words) == code
        assert only_run().read_status()["state"] == state
        assert kill_and_resume.run_folder(Path("runs")) == only_run().path
    assert train(*words) == 0
    assert only_run().read_status()["state"] == "finished"
    log = only_run().log.read_text()
    assert log.count("resuming") == 2
    assert kill_and_resume.differences(kill_and_resume.results(Path("runs")),
                                       kill_and_resume.results(Path("unbroken"))) == []  # fmt: skip
    # Every update was done once: the three parts have 4 + 6 + 8 of them, so none was repeated.
    assert len(only_run().read_rows()) == 6


def test_a_second_interrupt_leaves_at_once_and_is_no_failure(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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
            train()
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
