"""The command line as a whole: help, flags, exit codes, and what it does not import."""

from __future__ import annotations

import json
import logging
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dlrun import __version__, commands
from dlrun.cli import main

HEAVY = ("torch", "torchvision", "matplotlib", "sklearn", "scipy", "pooch")


def examples(command: str) -> list[list[str]]:
    """The words after `dlrun` of each example in a help text; what follows three blanks explains it."""
    text = commands.help_of(command).partition("\nExamples\n")[2].partition("\n\n")[0]
    lines = [re.split(r"\s{3,}|\s#|\|", line.strip())[0] for line in text.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith("dlrun ")]


def test_the_overview_names_every_command(capsys):
    for words in ([], ["--help"], ["-h"], ["help"]):
        assert main(words) == 0
        shown = capsys.readouterr().out
        for command in commands.names():
            assert re.search(rf"^  {command} +\w", shown, re.MULTILINE)
    assert all(len(line) <= 110 for line in shown.splitlines())


@pytest.mark.parametrize("command", commands.names())
def test_every_command_has_help_with_usage_and_examples(command, capsys):
    for words in ([command, "--help"], [command, "x=y", "-h"]):
        assert main(words) == 0
        shown = capsys.readouterr().out
        assert f"dlrun {command}" in shown
        assert "\nExamples\n" in shown
        assert all(len(line) <= 110 for line in shown.splitlines())


@pytest.mark.parametrize("words", [e for c in ("train", "show") for e in examples(c)], ids=" ".join)
def test_every_example_of_train_and_show_composes_and_fits(words, project):
    from dlrun.commands import show, train

    rows = "".join(f"{i % 7},{i}\n" for i in range(100))
    (project / "houses.csv").write_text(f"rooms,price\n{rows}")  # the one that an example names
    of_config = show.own_words(words[1:])[1] if words[0] == "show" else words[1:]
    flags = train.parser().parse_intermixed_args(of_config)
    assert flags.words
    train.check(train.composer_for(flags.config_dir, flags.plugins), flags.words, flags.multirun)


@pytest.mark.parametrize("words", [e for e in examples("list") if "--plugins" not in e], ids=" ".join)
def test_every_example_of_list_runs(words, project, capsys):
    assert main(words) == 0
    assert capsys.readouterr().out


def test_every_example_of_evaluate_predict_and_runs_has_known_words(project, capsys):
    for command in ("evaluate", "predict", "runs"):
        assert examples(command)
        for words in examples(command):
            code = main([*words, "runs_dir=nowhere"])
            shown = capsys.readouterr()
            assert code == 0 if command == "runs" else "no run '" in shown.err, words


def test_the_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"dlrun {__version__}\n"


def test_a_misspelt_command_is_told_the_nearest(capsys):
    assert main(["trian", "task=imdb_dense"]) == 2
    shown = capsys.readouterr().err
    assert "no command is called 'trian'" in shown
    assert "Did you mean 'train'?" in shown


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["train", "--epochs", "3"], "--epochs"),
        (["train", "task=imdb_dense", "--cfg", "nothing"], "invalid choice"),
        (["train", "task=imdb_dense", "--config-dir", "nowhere"], "expected a folder, received 'nowhere'"),
        (["evaluate"], "give run=…"),
        (["predict", "run=x"], "expected one of input=… and rows=train|val|test"),
        (["runs", "tsk=x"], "Did you mean 'task'?"),
        (["list", "optimizers", "x"], "expected one group"),
        (["list", "optimiser"], "Did you mean 'optimizer'?"),
        (["list", "--config-dir", "nowhere"], "expected a folder, received 'nowhere'"),
        (["list", "--config-dir"], "received nothing"),
        (["doctor", "now"], "expected key=value"),
        (["completion", "fish"], "expected bash or zsh, received 'fish'"),
    ],
)
def test_wrong_words_are_usage_errors(words, told, project, capsys):
    assert main(words) == 2
    assert told in capsys.readouterr().err
    assert not list(project.iterdir())


# Hydra's own flags on train


def test_cfg_prints_the_composed_config_and_runs_nothing(project, capsys):
    assert main(["train", "task=imdb_dense", "trainer.epochs=7", "--cfg", "job"]) == 0
    shown = capsys.readouterr().out
    assert "epochs: 7" in shown
    assert "hydra:" not in shown
    assert main(["train", "task=imdb_dense", "--cfg", "job", "--package", "optimizer"]) == 0
    assert "rho: 0.9" in capsys.readouterr().out
    assert main(["train", "task=imdb_dense", "--cfg", "job", "--resolve"]) == 0
    assert "task: imdb_dense" in capsys.readouterr().out
    assert main(["train", "task=imdb_dense", "-c", "hydra"]) == 0
    assert "sweep:" in capsys.readouterr().out
    assert not list(project.iterdir())


@pytest.fixture
def _root_logger() -> Iterator[None]:
    """Hydra's `--info` sets the root logger up; later tests want it as it was."""
    before = (list(logging.root.handlers), logging.root.level)
    yield
    logging.root.handlers, logging.root.level = before


@pytest.mark.usefixtures("_root_logger")
@pytest.mark.parametrize("what", ["all", "config", "defaults", "defaults-tree", "plugins", "searchpath"])
def test_info_says_what_hydra_did(what, project, capsys):
    assert main(["train", "task=imdb_dense", "--info", what]) == 0
    assert len(capsys.readouterr().out) > 100
    assert not list(project.iterdir())


def test_a_task_from_config_dir_extends_one_of_ours(project, capsys):
    (project / "mine" / "task").mkdir(parents=True)
    (project / "mine" / "task" / "wide.yaml").write_text(
        "# @package _global_\n# Wider.\ndefaults:\n  - imdb_dense\n  - _self_\narchitecture: {units: [64]}\n"
    )
    assert main(["train", "--config-dir", "mine", "task=wide", "--cfg", "job", "-p", "architecture"]) == 0
    assert "- 64" in capsys.readouterr().out
    assert main(["list", "task", "--config-dir", "mine"]) == 0
    assert "wide\tWider.\n" in capsys.readouterr().out


# Whole processes


def python(code: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("words", [["--help"], ["train", "--help"], ["list"], ["list", "loss"], ["runs"]], ids=" ".join)
def test_help_list_and_runs_import_nothing_heavy(words, project):
    run = project / "runs" / "t" / "0a1b2c3d"
    run.mkdir(parents=True)
    config = {"task": "t", "seed": 0, "dataset": {"name": "d", "source": "real"}, "trainer": {},
              "evaluation": {"name": "holdout", "order": "positional"}}  # fmt: skip
    (run / "config.yaml").write_text(json.dumps(config))
    code = (
        "import sys; from dlrun import cli; code = cli.main(sys.argv[1:]); "
        f"sys.exit(code or ' '.join(set({HEAVY}) & set(sys.modules)) or 0)"
    )
    done = python(code, *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def test_a_pipe_that_closes_is_no_error(project):
    command = f"{shlex.quote(sys.executable)} -m dlrun list loss | head -1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.startswith("loss\t")


def test_quiet_is_silent_and_without_it_each_epoch_is_a_line(project, capsys):
    words = ["train", "task=imdb_dense", "dataset.source=sample", "trainer.epochs=2", "architecture.units=[4]"]
    assert main([*words, "-q", "runs_dir=quiet"]) == 0
    shown = capsys.readouterr()
    assert shown.out + shown.err == ""
    assert main([*words, "runs_dir=loud"]) == 0
    shown = capsys.readouterr()
    assert len(re.findall(r"^fit epoch [12]/2: loss .* left$", shown.err, re.MULTILINE)) == 2
    assert "SAMPLE DATA, no result of the book" in shown.out
    (quiet,), (loud,) = Path("quiet/imdb_dense").iterdir(), Path("loud/imdb_dense").iterdir()
    assert quiet.name == loud.name
    assert main([*words, "runs_dir=loud"]) == 0
    assert "finished before" in capsys.readouterr().err


def test_quiet_may_stand_before_the_command(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-q", "runs"]) == 0
    assert capsys.readouterr().out == ""
