"""States and weights on disk: written aside, renamed, the one before kept, read without running code."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import torch
from _running import at_batch, only_run, train

from dlrun.checkpoint import load_state, load_weights, previous, save_state, save_weights
from dlrun.errors import RunError
from dlrun.files import append_text, remove_side_files, write_text, writing


def test_state_round_trip_and_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "checkpoints" / "state.pt"
    assert load_state(path) is None
    for number in range(3):
        state = {"job": number, "fit": None, "t": torch.full((3,), number, dtype=torch.float64), "rows": [1, 2]}
        save_state(path, state)
    newest, before = load_state(path), load_state(previous(path))
    assert newest is not None
    assert before is not None
    assert (newest["job"], before["job"]) == (2, 1)
    assert newest["t"].dtype == torch.float64
    assert sorted(p.name for p in path.parent.iterdir()) == ["state.pt", "state.pt.previous"]


def test_a_kill_between_the_two_renames_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    save_state(path, {"job": 1})
    os.replace(path, previous(path))
    assert load_state(path) == {"job": 1}
    save_state(path, {"job": 2})
    assert load_state(path) == {"job": 2}
    assert load_state(previous(path)) == {"job": 1}


def test_a_state_that_can_not_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    save_state(path, {"job": 1})
    with pytest.raises(Exception, match="pickle"):
        save_state(path, {"job": 2, "fit": lambda: None})
    assert load_state(path) == {"job": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["state.pt"]


def test_what_a_state_holds(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tensors and plain data only; where the fit stands, models, optimizer, generator and callbacks."""
    with monkeypatch.context() as patch:
        at_batch(patch, 9, lambda: os.kill(os.getpid(), signal.SIGTERM))
        train("optimizer=adam", "evaluation=kfold", "callbacks=[checkpoint,early_stopping]")
    state = torch.load(only_run().state, weights_only=True)
    assert state.keys() == {"form", "job", "fit", "seconds", "epochs", "epoch_seconds", "metrics_bytes",
                            "groups", "compiled"}  # fmt: skip
    assert state["metrics_bytes"] == only_run().metrics.stat().st_size
    fit = state["fit"]
    assert (fit["done"], fit["batch"]) == (1, 1)  # 8 updates an epoch
    assert fit["totals"]["rows"] == [256] * 4
    assert fit["callbacks"].keys() == {"schedule", "checkpoint", "early_stopping"}
    assert fit["step"].keys() == {"models", "slots", "rates"}
    assert [len(fit["step"][name]) for name in ("models", "slots")] == [4, 4]
    assert fit["step"]["models"][0]["dense_1.kernel"].shape == (10_000, 4)  # as of a model alone
    assert fit["step"]["slots"][0][0].keys() == {"step", "exp_avg", "exp_avg_sq"}
    assert "cpu" in fit["rng"]


def test_a_state_of_another_version_is_refused(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the way out that is named is one."""
    with monkeypatch.context() as patch:
        at_batch(patch, 9, lambda: os.kill(os.getpid(), signal.SIGTERM))
        assert train() == 75
    state = torch.load(only_run().state, weights_only=True)
    del state["form"]
    torch.save(state, only_run().state)
    assert train() == 4
    assert "another version of dlrun" in capsys.readouterr().err
    assert train("rerun=true") == 0


def test_weights_round_trip(tmp_path: Path) -> None:
    weights = {"a.kernel": torch.randn(3, 4, dtype=torch.float64).T, "key": torch.tensor(5)}
    save_weights(tmp_path / "w.safetensors", weights)
    loaded = load_weights(tmp_path / "w.safetensors")
    assert loaded.keys() == weights.keys()
    assert all(torch.equal(loaded[k], weights[k]) and loaded[k].dtype == weights[k].dtype for k in weights)
    umask = os.umask(0)
    os.umask(umask)
    assert (tmp_path / "w.safetensors").stat().st_mode & 0o777 == 0o666 & ~umask  # as all files of a run
    with pytest.raises(RunError, match=r"can't read the weights .*nowhere"):
        load_weights(tmp_path / "nowhere.safetensors")


def write_half(path: Path, error: Exception) -> None:
    """Fail while writing."""
    with writing(path) as aside:
        aside.write_text("half of the n")
        raise error


def test_writing_leaves_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "text"
    write_text(path, "old")
    for error in (KeyError("key"), RuntimeError("of its own")):
        with pytest.raises(type(error)):
            write_half(path, error)
    assert [p.name for p in tmp_path.iterdir()] == ["text"]
    assert path.read_text() == "old"
    write_text(path, "new")
    assert path.read_text() == "new"


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for write in (write_text, append_text):
        with pytest.raises(RunError, match=r"can't write .*below: (Not a directory|File exists).*another runs_dir"):
            write(tmp_path / "file" / "below", "x")
    with pytest.raises(RunError, match="Is a directory"):
        append_text(tmp_path, "x")


def test_side_files_of_killed_processes_go(tmp_path: Path) -> None:
    mine = [".gitignore", "state.pt", ".hidden", ".nfs0000a1"]
    for name in (*mine, ".state.pt.4711", ".summary.json.12"):
        (tmp_path / name).write_text("")
    remove_side_files(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(mine)
