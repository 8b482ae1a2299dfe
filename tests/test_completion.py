"""Completion: the candidates, how fast they come, and what bash and zsh make of them."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dlrun import cli, commands
from dlrun.completing import candidates


@pytest.fixture
def runs(project: Path) -> Path:
    for run in ("imdb_dense/0a1b2c3d", "imdb_dense/0a1b2c3d.1", "mnist_dense/ffff0000"):
        (project / "runs" / run).mkdir(parents=True)
        (project / "runs" / run / "config.yaml").write_text("{}")
    return project


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("dlrun tr", ["train"]),
        ("dlrun --ver", ["--version"]),
        ("dlrun train task=imdb_dense_f", ["task=imdb_dense_final"]),
        ("dlrun train task=imdb_dense trainer.ep", ["trainer.epochs="]),
        ("dlrun train evaluation=kfold evaluation.n_s", ["evaluation.n_splits="]),
        ("dlrun train evaluation=holdout evaluation.n_s", []),
        ("dlrun show loss=mean", []),
        ("dlrun train metrics=[accuracy,mae,ms", ["metrics=[accuracy,mae,mse"]),
        ("dlrun train 'acknowledge=[dup", ["acknowledge=[duplicates"]),
        ("dlrun train acknowledge=[duplicates,na", ["acknowledge=[duplicates,narrow_layer"]),
        ("dlrun train acknowledge=[duplicates,du", []),
        ("dlrun train acknowledge=dup", ["acknowledge=[duplicates"]),
        ("dlrun train metrics=[accuracy,ac", []),
        ("dlrun runs state=un", ["state=unknown"]),
        ("dlrun runs state=failed,de", ["state=failed,dead"]),
        ("dlrun runs sort=sec", ["sort=seconds"]),
        ("dlrun runs sort=-sec", ["sort=-seconds"]),
        (
            "dlrun runs columns=run,s",
            ["columns=run,state", "columns=run,seed", "columns=run,seconds", "columns=run,selected"],
        ),
        ("dlrun reproduce reuters_b", ["reuters_bottleneck"]),
        ("dlrun reproduce boston st", ["strict="]),
        ("dlrun train 'callbacks=[early", ["callbacks=[early_stopping"]),
        ("dlrun train -m optimizer=adam,rm", ["optimizer=adam,rmsprop"]),
        ("dlrun train --mul", ["--multirun"]),
        ("dlrun train --info def", ["defaults", "defaults-tree"]),
        ("dlrun train trainer.precision=", ["trainer.precision=float32", "trainer.precision=float64"]),
        ("dlrun list eval", ["evaluation"]),
        ("dlrun list --c", ["--config-dir"]),
        ("dlrun completion ", ["bash", "zsh"]),
        ("dlrun predict ro", ["rows="]),
        ("dlrun predict rows=", ["rows=train", "rows=val", "rows=test"]),
        ("dlrun nonsense x", []),
    ],
)
def test_candidates(project, line, found):
    assert candidates(line) == found


def test_every_command_group_task_and_option_is_offered(project):
    from dlrun.commands.list import GROUPS, HERE, entries

    assert set(commands.names()) <= set(candidates("dlrun "))
    assert candidates("dlrun list ") == GROUPS
    words = candidates("dlrun train ")
    for group in GROUPS:
        if group in ("layer", "block", "method"):  # in an architecture, of another command: no word chooses one
            continue
        assert f"{group}=" in words
        options = [f"{group}={name}" for name in entries(group, [HERE / "configs", HERE.parent / "configs"])]
        assert candidates(f"dlrun train {group}=") == options


def test_guards_states_and_columns_are_those_of_the_program(project):
    from dlrun import comparing, completing_runs, registry, runs_table
    from dlrun.commands import runs

    guards = [f"acknowledge=[{name}" for name in registry.names("guards")]
    assert guards == candidates("dlrun train 'acknowledge=[") == candidates("dlrun train acknowledge=")
    rest = [f"acknowledge=[duplicates,{name}" for name in registry.names("guards") if name != "duplicates"]
    assert candidates("dlrun train acknowledge=[duplicates,") == rest
    states = [word.removeprefix("state=") for word in candidates("dlrun runs state=")]
    assert set(states) == set(runs.STATES)
    assert all(f"`{state}`" in (runs.__doc__ or "") for state in states)
    assert set(completing_runs.COLUMNS) == {c for c in runs_table.ORDER if not c.endswith(".")}
    assert completing_runs.HEAD == comparing.HEAD


def test_what_runs_logged_is_offered(runs):
    folder = runs / "runs" / "imdb_dense" / "0a1b2c3d"
    head = {"stage": "fit", "repeat": 0, "fold": 0, "epoch": 1}
    folder.joinpath("metrics.jsonl").write_text(json.dumps({**head, "split": "train", "loss": 1, "mae": 2}) + "\n")
    folder.joinpath("summary.json").write_text(
        json.dumps({"metrics": {"train": {"loss": 1}, "test": {"mae": 1}, "val": {"mae": {"mean": 1}}}})
    )
    (runs / "runs" / "mnist_dense" / "ffff0000" / "metrics.jsonl").write_text("broken")
    (runs / "runs" / "mnist_dense" / "ffff0000" / "summary.json").write_text("[]")
    assert candidates("dlrun compare metric=") == ["metric=loss", "metric=mae"]
    assert candidates("dlrun compare metric=loss,") == ["metric=loss,mae"]
    assert candidates("dlrun runs columns=")[-2:] == ["columns=val.mae", "columns=test.mae"]
    assert candidates("dlrun runs sort=-val") == ["sort=-val.mae"]
    assert candidates("dlrun compare runs_dir=elsewhere metric=") == []


def test_runs_are_offered_by_task_and_by_signature(runs):
    assert candidates("dlrun evaluate run=mn") == ["run=mnist_dense", "run=mnist_dense/ffff0000"]
    assert candidates("dlrun train init_from=imdb_dense/") == [
        "init_from=imdb_dense/0a1b2c3d",
        "init_from=imdb_dense/0a1b2c3d.1",
    ]
    assert candidates("dlrun runs task=") == ["task=imdb_dense", "task=mnist_dense"]
    assert candidates("dlrun evaluate runs_dir=elsewhere run=") == []


def test_files_and_folders_are_offered(project):
    (project / "pictures").mkdir()
    (project / "pictures" / "seven.png").touch()
    (project / "note.txt").touch()
    (project / ".hidden").touch()
    assert candidates("dlrun predict input=") == ["input=note.txt", "input=pictures/"]
    assert candidates("dlrun predict input=pictures/s") == ["input=pictures/seven.png"]
    assert candidates(f"dlrun predict input={project}/no") == [f"input={project}/note.txt"]
    assert candidates("dlrun train --plugins ") == ["pictures/"]
    assert candidates("dlrun predict input=nowhere/") == []
    assert candidates("dlrun train dataset=csv dataset.path=") == ["dataset.path=note.txt", "dataset.path=pictures/"]


def test_names_of_the_users_own_folders_are_offered(project):
    (project / "mine" / "task").mkdir(parents=True)
    (project / "mine" / "task" / "my_task.yaml").write_text("# @package _global_\n")
    (project / "parts" / "configs" / "loss").mkdir(parents=True)
    (project / "parts" / "configs" / "loss" / "my_loss.yaml").write_text("name: my_loss\nsteepness: 1.0\n")
    assert candidates("dlrun train --config-dir mine task=my") == ["task=my_task"]
    assert candidates("dlrun train --plugins parts loss=my") == ["loss=my_loss"]
    assert candidates("dlrun train --plugins parts loss=my_loss loss.s") == ["loss.steepness="]


def test_completion_is_quick_and_imports_no_torch(project):
    code = (
        "import sys; from dlrun import cli; cli.main(['_complete', 'dlrun train task=imdb_dense optimizer.l']); "
        "assert not {'torch', 'matplotlib', 'sklearn', 'scipy'} & set(sys.modules)"
    )
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["optimizer.lr="], "")
    assert time.monotonic() - began < 2.0  # 0.2 s on an idle machine


# The shells themselves. Each gets a `dlrun` on its path that runs this Python.

LINES = [
    ("dlrun tr", "dlrun train "),
    ("dlrun train task=points", "dlrun train task=points_2d_linear "),
    ("dlrun train task=imdb_dense optimizer=rm", "dlrun train task=imdb_dense optimizer=rmsprop "),
    ("dlrun train trainer.ep", "dlrun train trainer.epochs="),
    ("dlrun train 'metrics=[accuracy,bin", "dlrun train 'metrics=[accuracy,binary_accuracy"),
    ("dlrun evaluate run=imdb_dense/0a1b2c3d.", "dlrun evaluate run=imdb_dense/0a1b2c3d.1 "),
    ("dlrun predict input=pic", "dlrun predict input=pictures/"),
    ("A=1 dlrun list opt", "A=1 dlrun list optimizer "),
]


@pytest.fixture
def on_path(runs, monkeypatch) -> Path:
    (runs / "pictures").mkdir()
    (runs / "bin").mkdir()
    script = runs / "bin" / "dlrun"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m dlrun "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{runs / 'bin'}:{os.environ['PATH']}")
    return runs


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_the_shell_completes(on_path, capsys, shell):
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    cli.main(["completion", shell])
    (on_path / "script").write_text(capsys.readouterr().out)
    typed = type_and_tab(shell, [line for line, _ in LINES], on_path)
    wanted = [becomes for _, becomes in LINES]
    # with a bracket open, bash closes the quote and zsh leaves a space: both are the user's to go on from
    assert [t.rstrip("' ") if "[" in t else t for t in typed] == wanted


COMMANDS = {"bash": ["bash", "--norc", "--noprofile", "-i"], "zsh": ["zsh", "-f", "-i"]}
SET_UP = {
    "bash": 'bind -x \'"\\C-xg": printf "%s\\n" "$READLINE_LINE" >> got\'; source ./script',
    "zsh": "keep() { print -r -- $BUFFER >> got }; zle -N keep; bindkey '^Xg' keep; bindkey '^U' kill-whole-line; "
    "autoload -Uz compinit; compinit -u -D; source ./script",
}


def type_and_tab(shell: str, lines: list[str], folder: Path) -> list[str]:
    """What each line is once Tab has been pressed behind it, in an interactive shell on a pseudo-terminal."""
    ours, theirs = os.openpty()
    environment = {**os.environ, "TERM": "xterm", "PS1": "> ", "HOME": str(folder), "INPUTRC": "/dev/null"}
    process = subprocess.Popen(
        COMMANDS[shell], stdin=theirs, stdout=theirs, stderr=theirs, cwd=folder, env=environment, start_new_session=True
    )
    os.close(theirs)
    got = folder / "got"
    seen = b""
    try:
        for number, line in enumerate(["", *lines]):
            if line:
                os.write(ours, f"{line}\t\x18g\x15".encode())  # Tab, keep the line, clear it
            else:  # the new prompt tells that the line editor listens; its echo must not look like it
                os.write(ours, f"{SET_UP[shell]}; touch got; PS1='rea''dy> '\n".encode())
            deadline = time.monotonic() + 30
            while b"ready> " not in seen or len(got.read_text().splitlines()) < number:
                assert time.monotonic() < deadline, f"{shell} did not answer to {line!r}: {seen[-2000:]!r}"
                if select.select([ours], [], [], 0.05)[0]:
                    seen += os.read(ours, 65536)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    return got.read_text().splitlines()
