"""A run is a value: its signature, its folder, its files and what is in them."""

from __future__ import annotations

import copy
import json
import os
import statistics
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from _running import SMALL, only_run, train

from dlrun.commands.train import check, composer_for
from dlrun.config import RunConfig, parse
from dlrun.errors import BusyError
from dlrun.run_folder import HEARTBEAT_SECONDS, RunFolder, all_folders

SUMMARY = ["task", "signature", "status", "data_source", "seed", "metrics", "baseline", "warnings",
           "acknowledged", "seconds", "seconds_per_epoch", "device", "rows", "parameters", "book"]  # fmt: skip
"""Others read these: a name here is a promise."""

NEUTRAL = {"runs_dir", "rerun", "trainer.device", "trainer.eval_batch_size", "trainer.plots", "trainer.plot_smoothing",
           "trainer.compile", "evaluation.stack", "evaluation.stack_size", "callbacks.checkpoint.every_seconds", "acknowledge", "guards"}  # fmt: skip
"""Written out once more: a key that joins or leaves the signature gives all runs on disk another name."""


# The signature


@cache
def config(*words: str) -> RunConfig:
    """A command line as a RunConfig, with both callbacks chosen."""
    base = ("task=imdb_dense", "dataset.source=sample", "callbacks=[checkpoint,early_stopping]")
    checked: RunConfig = check(composer_for([], []), [*base, *words], False)
    return checked


def keys(node: dict[str, Any], path: str = "") -> list[str]:
    """Dotted paths of all leaves."""
    found = []
    for key, value in node.items():
        found += keys(value, f"{path}{key}.") if isinstance(value, dict) and value else [path + key]
    return found


class Changed:
    """A config with one value replaced: `signature` reads no more of it than `to_dict`."""

    def __init__(self, original: RunConfig, path: str):
        self.plain = copy.deepcopy(original.to_dict())
        node = self.plain
        *parents, last = path.split(".")
        for parent in parents:
            node = node[parent]
        node[last] = f"not {node[last]}"

    def to_dict(self) -> dict[str, Any]:
        return self.plain


@pytest.mark.parametrize("key", keys(config().to_dict()))
def test_what_changes_the_signature(key: str) -> None:
    changed = RunConfig.signature(Changed(config(), key))  # type: ignore[arg-type]
    assert (changed == config().signature()) == (key in NEUTRAL or key.startswith("guards."))


def test_all_neutral_keys_exist() -> None:
    plain = config().to_dict()
    assert {*plain, *keys(plain)} >= NEUTRAL


@pytest.mark.parametrize(
    "words",
    [
        ("optimizer.lr=1e-3",),
        ("optimizer.lr=0.00100", "optimizer.rho=9e-1"),
        ("architecture.dropout=0", "architecture.l2=-0.0"),
        ("dataset.num_words=10000", "architecture.l1=0e5"),
        ("architecture.units=[16, 16]",),
        ("optimizer=rmsprop", "evaluation.order=positional"),
        ("trainer.epochs=7", "trainer.epochs=20"),
        ("evaluation=holdout", "evaluation.validation=10000", "evaluation.order=positional"),
        ("metrics=[auto]",),
        ("callbacks=[early_stopping,checkpoint]",),
        ("loss=auto", "seed=0", "init_from=null", "trainer.steps_per_epoch=null"),
    ],
    ids=str,
)
def test_other_words_for_the_same_config(words: tuple[str, ...]) -> None:
    assert config(*words).signature() == config().signature()


def test_signature_is_stable() -> None:
    """Eight hex digits; the order of keys says nothing; real and sample data differ."""
    plain = config().to_dict()
    again, problems = parse(dict(reversed(plain.items())), plain["task"])
    assert problems == []
    assert again is not None
    assert again.signature() == config().signature()
    assert len(config().signature()) == 8
    assert int(config().signature(), 16) >= 0
    assert config("dataset.source=auto").with_source("sample").signature() == config().signature()
    assert config("dataset.source=real").signature() != config().signature()
    assert config("seed=1").signature() != config("seed=2").signature()


def test_a_runs_config_names_its_folder(project: Path) -> None:
    """config.yaml, read back, is the run: resolved, and with the source that was used."""
    train("dataset.source=auto")
    plain = yaml.safe_load(only_run().config.read_text())
    again, problems = parse(plain, plain["task"])
    assert problems == []
    assert again is not None
    assert again.signature() == only_run().path.name
    assert again.dataset.args["source"] == "sample"
    assert only_run().path == Path("runs/imdb_dense") / again.signature()


# The files


def test_files_of_a_run(project: Path) -> None:
    train("trainer.plots=true", "trainer.epochs=2")
    folder = only_run()
    found = sorted(str(p.relative_to(folder.path)) for p in folder.path.rglob("*") if p.is_file())
    assert found == sorted(
        ["config.yaml", "overrides.yaml", "environment.json", "metrics.jsonl", "summary.json", "log.txt", "status",
         "lock", "checkpoints/state.pt", "checkpoints/state.pt.previous", "checkpoints/fit-r0f0-last.safetensors",
         "checkpoints/fit-r0f0-best.safetensors", "plots/loss.png", "plots/accuracy.png"]
    )  # fmt: skip
    assert yaml.safe_load(folder.overrides.read_text()) == [*SMALL, "trainer.plots=true", "trainer.epochs=2"]
    assert (folder.plots / "loss.png").read_bytes().startswith(b"\x89PNG")
    environment = json.loads(folder.environment.read_text())
    assert environment.keys() >= {"versions", "platform", "device", "command", "data"}
    assert environment["versions"].keys() >= {"python", "torch", "dlrun"}
    status = json.loads(folder.status.read_text())
    assert status.keys() == {"state", "pid", "host", "heartbeat"}
    assert (status["state"], status["pid"]) == ("finished", os.getpid())
    assert "epoch 2/2" in folder.log.read_text()


@pytest.mark.parametrize(
    "words",
    [
        ("evaluation=holdout",),
        ("evaluation=kfold", "evaluation.n_splits=3", "evaluation.refit=2", "evaluation.test=true"),
        ("evaluation=kfold", "evaluation.n_repeats=2", "evaluation.n_splits=2", "optimizer.lr=0.05", "trainer.epochs=9",
         "callbacks=[checkpoint,early_stopping]", "callbacks.early_stopping.patience=2"),
        ("evaluation.validation=0", "evaluation.test=true"),
    ],
    ids=["holdout", "folds, refit and test", "early stopping", "no validation"],
)  # fmt: skip
def test_summary(words: tuple[str, ...], project: Path) -> None:
    """The fields of the design, and figures that follow from metrics.jsonl by the plainest arithmetic."""
    train(*words)
    folder = only_run()
    summary = json.loads(folder.summary.read_text())
    assert list(summary) == SUMMARY
    assert summary["task"] == "imdb_dense"
    assert summary["signature"] == folder.path.name
    assert summary["status"] == "finished"
    assert summary["data_source"] == "sample"
    assert summary["parameters"] == {"total": 40_009, "trainable": 40_009}
    assert summary["metrics"].keys() == {"val", "test"}
    assert set(summary["metrics"]["test"]) == ({"loss", "accuracy"} if "evaluation.test=true" in words else set())
    assert list(summary["baseline"]) == ["accuracy"]
    assert summary["baseline"]["accuracy"].keys() >= {"value", "kind", "beaten", "all"}
    assert summary["warnings"] == {}
    assert summary["acknowledged"] == []
    assert all(claim.keys() == {"claim", "expected", "measured", "verdict"} for claim in summary["book"])

    curves: dict[str, dict[tuple[int, int], list[float]]] = {"loss": {}, "accuracy": {}}
    epochs = set()
    for line in folder.metrics.read_text().splitlines():
        row = json.loads(line)
        epochs.add((row["stage"], row["epoch"]))
        if (row["stage"], row["split"]) == ("fit", "val"):
            for name, curve in curves.items():
                curve.setdefault((row["repeat"], row["fold"]), []).append(row[name])
    val = summary["metrics"]["val"]
    assert list(val) == [name for name in curves if curves[name]]
    for name, value in val.items():
        assert {"mean", "std", "per_split", "best_epoch"} <= value.keys()
        last = [curves[name][key][-1] for key in sorted(curves[name])]
        assert value["per_split"] == last
        assert value["mean"] == pytest.approx(statistics.mean(last), rel=1e-12)
        spread = statistics.stdev(last) if len(last) > 1 else 0.0
        assert value["std"] == pytest.approx(spread, rel=1e-9)
        mean = [statistics.mean(at) for at in zip(*curves[name].values(), strict=False)]
        best = min(mean) if name == "loss" else max(mean)
        assert mean[value["best_epoch"] - 1] == pytest.approx(best, rel=1e-12)
        assert value["best"] == pytest.approx(best, rel=1e-12)
    assert 0 < summary["seconds_per_epoch"] * len(epochs) < summary["seconds"]


# The lock and the status


def test_only_one_writer(tmp_path: Path) -> None:
    one, two = RunFolder(tmp_path / "t" / "s"), RunFolder(tmp_path / "t" / "s")
    one.lock()
    one.write_status("running")
    with pytest.raises(BusyError, match=f"process {os.getpid()} on .*dlrun runs"):
        two.lock()
    two.unlock()  # of a lock that it has not got
    with pytest.raises(BusyError):
        two.lock()
    one.unlock()
    two.lock()
    two.unlock()


def test_moving_aside_holds_the_lock(tmp_path: Path) -> None:
    """The old folder and the new one: nobody else can write to either while it is moved."""
    one = RunFolder(tmp_path / "t" / "s")
    one.lock()
    (one.path / "config.yaml").write_text("old")
    old = one.move_aside()
    assert old.name == "s.1"
    assert (old / "config.yaml").read_text() == "old"
    assert [p.name for p in one.path.iterdir()] == ["lock"]
    with pytest.raises(BusyError):
        RunFolder(one.path).lock()
    assert one.move_aside().name == "s.2"
    one.unlock()


def test_all_but_heartbeats_reach_the_disk_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    folder = RunFolder(tmp_path)
    folder.write_status("running")
    assert not synced
    folder.write_status("finished")
    assert len(synced) == 1


def test_dead_is_running_without_a_heartbeat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = RunFolder(tmp_path)
    assert folder.read_status() == {}
    for state in ("running", "finished", "failed", "preempted"):
        folder.write_status(state, why="…")
        assert folder.read_status()["state"] == state
        now = time.time()
        with monkeypatch.context() as patch:
            patch.setattr(time, "time", lambda now=now: now + 3 * HEARTBEAT_SECONDS + 1)
            assert folder.read_status()["state"] == ("dead" if state == "running" else state)
    folder.status.write_text('{"state": "runn')
    assert folder.read_status() == {}


def test_a_long_pause_is_no_death(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading a large dataset takes longer than a heartbeat; the lock says that the process is there."""
    folder, reader = RunFolder(tmp_path), RunFolder(tmp_path)
    folder.lock()
    folder.write_status("running")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 1000)
    assert reader.read_status()["state"] == "running"
    folder.unlock()
    assert reader.read_status()["state"] == "dead"
    folder.lock()  # looking has left no lock behind
    folder.unlock()


def test_heartbeat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Renewed when it is time, and not at every batch."""
    folder = RunFolder(tmp_path)
    folder.write_status("running")
    folder.beat(epoch=1)
    assert "epoch" not in folder.read_status()
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + HEARTBEAT_SECONDS + 1)
    folder.beat(epoch=2)
    assert folder.read_status()["epoch"] == 2


def test_history_is_cut_back_to_a_state(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert folder.read_rows() == []
    assert folder.metrics_bytes() == 0
    folder.append_rows([{"epoch": 1, "loss": 0.5}])
    length = folder.metrics_bytes()
    folder.append_rows([{"epoch": 2, "loss": 0.25}, {"epoch": 3, "loss": float("0.1")}])
    with folder.metrics.open("a") as file:
        file.write('{"epoch": 4, "lo')  # what a kill in the middle of a line leaves
    folder.cut_rows(length)
    assert folder.read_rows() == [{"epoch": 1, "loss": 0.5}]


def test_newest_run_first(tmp_path: Path) -> None:
    for age, name in ((20, "a/old"), (0, "b/new"), (10, "a/middle")):
        path = tmp_path / name / "config.yaml"
        path.parent.mkdir(parents=True)
        path.write_text("")
        os.utime(path, (time.time() - age,) * 2)
    (tmp_path / "a" / "no_run").mkdir()
    assert [f.path.name for f in all_folders(tmp_path)] == ["new", "middle", "old"]
    assert [f.path.name for f in all_folders(tmp_path, "a")] == ["middle", "old"]


def test_exit_codes_of_the_process(project: Path) -> None:
    """`dlrun` as a command, once: what in-process tests see as a return value is the process's exit code."""
    bad = subprocess.run([sys.executable, "-m", "dlrun", "train", "task=imdb_dens"], capture_output=True, text=True)
    assert bad.returncode == 2
    assert "imdb_dense" in bad.stderr
