"""Real failures: full disks, damaged files, divergence, no memory, a second process. A clear error each time,
the last good state kept, and a later start that goes on."""

from __future__ import annotations

import os
import pickle
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import kill_and_resume
import pytest
import torch
import yaml
from _running import SMALL, at_batch, only_run, train

from dlrun.checkpoint import load_state, previous
from dlrun.cli import main

GARBAGE: dict[str, Callable[[bytes], bytes]] = {
    "truncated": lambda data: data[: len(data) // 2],
    "garbage": lambda data: os.urandom(1000),
    "empty": lambda data: b"",
}


def assert_equal_to_unbroken(*words: str) -> None:
    """The run in `runs` against the same one in a folder of its own, never stopped."""
    assert train(*words, "runs_dir=unbroken") == 0
    ours, unbroken = kill_and_resume.results(Path("runs")), kill_and_resume.results(Path("unbroken"))
    assert kill_and_resume.differences(ours, unbroken) == []


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """The kernel lets no file grow beyond `size` bytes: writing more is an error, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def interrupt_after(updates: int, monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    """Leave a run half done by SIGTERM."""
    with monkeypatch.context() as patch:
        at_batch(patch, updates, lambda: os.kill(os.getpid(), signal.SIGTERM))
        assert train(*words) == 75


# Full disks. The state of these runs has about 480 kB, weights have 160 kB, the history has 1 kB.


@pytest.mark.parametrize(
    ("what", "size", "after", "words", "epochs_kept"),
    [
        ("state.pt", 300_000, 1, (), None),
        ("state.pt", 300_000, 13, (), 2),
        ("fit-r0f0-last.safetensors", 100_000, 1, ("callbacks.checkpoint.every_seconds=1000",), None),
        ("metrics.jsonl", 400, 13, (), 2),
    ],
    ids=["the first state", "a later state", "the weights", "the history"],
)
def test_disk_full(
    what: str, size: int, after: int, words: tuple[str, ...], epochs_kept: int | None,
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    with monkeypatch.context() as patch, largest_file(10**9):
        at_batch(patch, after, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, -1)))
        assert train(*words, "-q") == 4
    error = capsys.readouterr().err
    assert error.startswith("error: can't write")
    assert what in error
    assert "File too large" in error
    assert "make room, and the same command goes on" in error
    assert "Traceback" not in error
    folder = only_run()
    assert list(folder.path.rglob(".*")) == []
    state = load_state(folder.state)
    assert (state and state["fit"]["done"]) == epochs_kept
    assert all(row["epoch"] for row in folder.read_rows())  # whole lines only
    assert train(*words) == 0
    assert ("resuming" in folder.log.read_text()) == bool(epochs_kept)
    assert_equal_to_unbroken(*words)


def test_disk_full_at_the_plots(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from dlrun import summary

    original = summary.make

    def make(*args: Any, **kwargs: Any) -> Any:
        resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, -1))
        return original(*args, **kwargs)

    with monkeypatch.context() as patch, largest_file(10**9):
        patch.setattr("dlrun.summary.make", make)
        assert train("trainer.plots=true") == 4
    assert "loss.png: File too large" in capsys.readouterr().err
    assert not only_run().summary.exists()
    at_batch(monkeypatch, 1, lambda: pytest.fail("nothing is trained again"))
    assert train("trainer.plots=true") == 0
    assert (only_run().plots / "loss.png").exists()


@pytest.fixture
def small_disk(project: Path) -> Iterator[Path]:
    """A file system of 700 kB of its own; needs the right to mount one."""
    path = project / "disk"
    path.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=700k", "tmpfs", str(path)], capture_output=True)
    if mounted.returncode:
        pytest.skip("needs the right to mount a tmpfs")
    yield path
    subprocess.run(["umount", str(path)], check=True)


def test_a_really_full_disk(small_disk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """There is room for one state, not for a second one beside it."""
    assert train(f"runs_dir={small_disk}", "-q") == 4
    assert "state.pt: No space left on device" in capsys.readouterr().err
    folder = only_run(small_disk)
    state = load_state(folder.state)
    assert state is not None
    assert state["fit"]["done"] == 1
    subprocess.run(["mount", "-o", "remount,size=20m", str(small_disk)], check=True)
    assert train(f"runs_dir={small_disk}") == 0
    assert "resuming" in folder.log.read_text()
    train()
    assert folder.metrics.read_bytes() == only_run().metrics.read_bytes()


@pytest.mark.parametrize("place", ["runs", "runs/imdb_dense", "below/runs"])
def test_a_file_in_the_place_of_a_folder(place: str, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(place)
    (path.parent if place == "below/runs" else path).parent.mkdir(exist_ok=True)
    (path.parent if place == "below/runs" else path).write_text("in the way")
    assert train(f"runs_dir={'below/runs' if place == 'below/runs' else 'runs'}") == 4
    error = capsys.readouterr().err
    assert "can't write" in error
    assert "imdb_dense" in error
    assert "choose another runs_dir" in error


# Damaged files


@pytest.mark.parametrize("damage", GARBAGE)
def test_newest_state_damaged(damage: str, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The state before it serves: the epoch in between is repeated."""
    interrupt_after(15, monkeypatch)
    state = only_run().state
    state.write_bytes(GARBAGE[damage](state.read_bytes()))
    assert train() == 0
    log = only_run().log.read_text()
    assert f"can't read {state}" in log
    assert f"going on from the state before it, {previous(state)}" in log
    assert_equal_to_unbroken()


@pytest.mark.parametrize("damage", GARBAGE)
@pytest.mark.parametrize("way_out", ["delete", "rerun"])
def test_both_states_damaged(
    damage: str, way_out: str, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    interrupt_after(15, monkeypatch)
    states = (only_run().state, previous(only_run().state))
    for state in states:
        state.write_bytes(GARBAGE[damage](state.read_bytes()))
    capsys.readouterr()
    assert train("-q") == 4
    error = capsys.readouterr().err
    assert all(f"{state}:" in error for state in states)
    assert "delete these files" in error
    assert "rerun=true" in error
    if way_out == "delete":
        for state in states:
            state.unlink()
        assert train() == 0
        assert_equal_to_unbroken()
    else:
        assert train("rerun=true") == 0


class Evil:
    """A pickle of it runs a command when it is loaded in the ordinary way."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch it_ran",)


@pytest.mark.parametrize("form", ["torch", "pickle"])
def test_a_state_with_code_is_refused(
    form: str, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    interrupt_after(9, monkeypatch)
    state = only_run().state
    for path in (state, previous(state)):
        if form == "torch":
            torch.save({"job": 0, "fit": Evil()}, path)
        else:
            path.write_bytes(pickle.dumps(Evil(), protocol=2))  # that of torch
    assert train() == 4
    assert not Path("it_ran").exists()
    error = capsys.readouterr().err
    assert "damaged, or it holds more than tensors and plain data" in error
    if form == "pickle":  # so the file is dangerous indeed
        pickle.loads(state.read_bytes())
        assert Path("it_ran").exists()


def test_a_shortened_history_is_noticed(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    interrupt_after(14, monkeypatch)
    folder = only_run()
    folder.metrics.write_text("")
    assert train() == 4
    assert f"{folder.metrics} has 0 bytes" in capsys.readouterr().err
    assert train("rerun=true") == 0


@pytest.mark.parametrize("damage", GARBAGE)
@pytest.mark.parametrize("which", ["last", "best"])
def test_damaged_weights(damage: str, which: str, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train()
    path = only_run().weights("fit", "r0f0", which)
    path.write_bytes(GARBAGE[damage](path.read_bytes()))
    assert main(["evaluate", "run=imdb_dense", f"weights={which}"]) == 4
    assert f"can't read the weights {path}" in capsys.readouterr().err
    assert not (only_run().artifacts / "evaluation.json").exists()
    assert main(["train", *SMALL, f"init_from={only_run().path}", "seed=1"]) == (4 if which == "last" else 0)


# Divergence and memory


def test_divergence_at_once(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["optimizer=sgd", "optimizer.lr=1e30", "evaluation=kfold"]
    assert train(*words) == 4
    error = capsys.readouterr().err
    assert "loss of fit r0f" in error
    assert "became nan in epoch 1" in error
    assert "lower optimizer.lr" in error
    assert only_run().read_status()["state"] == "failed"
    assert only_run().read_rows() == []
    assert not only_run().summary.exists()


def test_divergence_later_keeps_the_last_good_state(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each update multiplies the weights by 1 - 2 * lr * l2 = -5: beyond float32 after some 50 of them."""
    words = ["optimizer=sgd", "optimizer.lr=1", "architecture.l2=3", "trainer.epochs=20"]
    assert train(*words) == 4
    folder = only_run()
    good = folder.read_rows()[-1]["epoch"]
    assert good > 3
    assert f"in epoch {good + 1}" in capsys.readouterr().err
    state = load_state(folder.state)
    assert state is not None
    assert state["fit"]["done"] == good
    assert all(t.isfinite().all() for t in state["fit"]["step"]["models"][0].values())
    history = folder.metrics.read_bytes()
    assert train(*words) == 4  # goes on from there, and meets it again
    assert folder.metrics.read_bytes() == history
    assert f"in epoch {good + 1}" in capsys.readouterr().err


@pytest.mark.parametrize("scheme", [(), ("evaluation=kfold",)], ids=["one model", "stack"])
def test_out_of_memory(scheme: tuple[str, ...], project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A kernel of 10,000 x 10**9 floats: no machine has 40 TB."""
    assert train("architecture.units=[1000000000]", *scheme) == 4
    error = capsys.readouterr().err
    assert "out of memory" in error
    assert "you tried to allocate 40000000000000 bytes" in error
    assert all(word in error for word in ("trainer.batch_size", "the model's size", "evaluation.stack=never"))
    assert only_run().read_status()["state"] == "failed"


@pytest.mark.parametrize("units", [10**17, 10**20])
def test_a_size_that_can_not_be_counted(units: int, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Found before anything is read or written."""
    assert train(f"architecture.units=[{units}]") == 2
    assert "architecture" in capsys.readouterr().err
    assert not Path("runs").exists()


# A second process, and one that has died


def test_two_processes_and_a_dead_one(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["trainer.epochs=1000000", "callbacks.checkpoint.every_seconds=0.1"]
    first = subprocess.Popen([sys.executable, "-m", "dlrun", "train", *SMALL, *words, "-q"])
    try:
        until = time.monotonic() + 60
        while not list(Path("runs").glob("*/*/checkpoints/state.pt")):
            assert time.monotonic() < until
            assert first.poll() is None
            time.sleep(0.05)
        before = {f for f in only_run().path.iterdir() if not f.name.startswith(".")}
        began = time.monotonic()
        assert train(*words) == 75
        assert time.monotonic() - began < 5
        assert f"is being worked on by process {first.pid} on " in capsys.readouterr().err
        assert train(*words, "rerun=true") == 75  # does not move a folder away that is in use
        assert {f for f in only_run().path.iterdir() if not f.name.startswith(".")} == before
        assert first.poll() is None
    finally:
        first.kill()
        first.wait()
    (only_run().path / "checkpoints" / f".state.pt.{first.pid}").write_bytes(b"half a state")
    interrupt_after(3, monkeypatch, *words)  # the lock of a dead process is no obstacle
    assert only_run().read_status()["pid"] == os.getpid()
    assert "resuming" in only_run().log.read_text()
    assert list(only_run().path.rglob(".*")) == []


@pytest.mark.parametrize("group", ["metrics", "callbacks", "guards", "baselines"])
def test_none_of_a_group_may_be_chosen_with_a_task(group, project):
    words = [word for word in SMALL if not word.startswith("callbacks.")]
    assert main(["train", *words, f"{group}=[]"]) == 0
    assert yaml.safe_load(only_run().config.read_text())[group] == {}


@pytest.mark.parametrize("group", ["optimizer", "schedule", "callbacks"])
def test_null_is_no_component(group, project, capsys):
    assert train(f"{group}=null") == 2
    text = " ".join(capsys.readouterr().err.split())
    assert f"{group}: expected a name, received null available:" in text
    assert not Path("runs").exists()


def test_what_can_t_be_split_leaves_no_folder(project, capsys):
    Path("table.csv").write_text("x,y\n" + "".join(f"{i},{i * i % 7}\n" for i in range(5)))
    words = [
        "dataset=csv",
        "dataset.path=table.csv",
        "dataset.target=y",
        "architecture=dense",
        "architecture.units=[4]",
    ]
    assert main(["train", *words, "evaluation=kfold", "evaluation.n_splits=9"]) == 2
    assert list(Path("runs").rglob("*")) == []
