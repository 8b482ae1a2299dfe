"""Everything wrong with a command is said at once, before any data is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlrun import cli
from dlrun.compose import Composer, sweep_points
from dlrun.config import parse
from dlrun.errors import ConfigError, nearest

SAMPLE = ["dataset.source=sample", "trainer.plots=false"]


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    code = cli.main(list(words))
    captured = capsys.readouterr()
    return code, captured.out + captured.err


def test_five_kinds_of_problem_in_one_command(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def reads_data(*_: object) -> None:
        raise AssertionError("data was read")

    monkeypatch.setattr("dlrun.datasets.imdb.Imdb.load", reads_data)
    monkeypatch.setattr("dlrun.datasets.imdb.Imdb.resolve_source", reads_data)
    code, said = run(
        capsys,
        "train",
        "task=imdb_dense",
        "trainer.epoch=3",  # a misspelt key
        "optimizer=rmsprp",  # a misspelt group option
        "trainer.batch_size=ten",  # a wrong type
        "+architecture.activaton=tanh",  # an unknown layer argument
        "loss=categorical_crossentropy",  # impossible with a binary target
    )
    assert code == 2
    assert "5 problems" in said
    for expected in (
        "trainer.epoch: no such key",
        "Did you mean 'trainer.epochs'?",
        "no optimizer is called 'rmsprp'",
        "Did you mean 'rmsprop'?",
        "trainer.batch_size: expected an integer, received 'ten' (str)",
        "architecture.activaton: no such argument",
        "Did you mean 'activation'?",
        "categorical_crossentropy needs a multiclass target, 'sentiment' is binary",
        "stands in: command line: +architecture.activaton=tanh",
    ):
        assert expected in said
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["task=imdb_dens"], "Did you mean 'imdb_dense'?"),
        (["dataset=mnist", "seed"], "expected key=value, received 'seed'"),
        (["dataset=mnist", "seed=zero"], "seed: expected an integer, received 'zero'"),
        (["optimiser=adam"], "Did you mean 'optimizer'?"),
        (["task=mnist_dense", "architecture.units=[16,x]"], "architecture.units.1: expected an integer"),
        (["task=mnist_dense", "architecture.dropout=1.5"], "expected less than 1 or a list, received 1.5"),
        (["task=mnist_dense", "architecture.dropout=[0.5,0.5]"], "architecture.dropout: expected one value or 1"),
        (["task=mnist_dense", "evaluation=kfold", "evaluation.test=true"], "the test set is opened once"),
        (["task=mnist_dense", "evaluation.refit=best"], "'best' needs validation"),
        (["task=mnist_dense", "callbacks=[early_stopping]"], "there is no validation"),
        (["task=mnist_dense", "metrics=[accurcy]"], "Did you mean 'accuracy'?"),
        (["task=imdb_dense", "evaluation=kfold", "evaluation.stack=always", "optimizer=lbfgs"], "'always' is impossible"),
        (["task=imdb_dense", "evaluation.stratify=true"], "impossible with evaluation.order=positional"),
        (["task=imdb_dense", "callbacks.checkpoint.monitor=val_los"], "Did you mean 'val_loss'?"),
        (["task=imdb_dense", "trainer.device=tpu"], "expected auto, cpu, cuda, cuda:N or mps"),
        (["task=imdb_dense", "trainer.device=cuda:99"], "'cuda:99' is not on this machine"),
        (["task=imdb_dense", "init_from=nothing"], "no run 'nothing'"),
        (["task=imdb_dense", "--plugins", "nowhere"], "--plugins: expected a folder"),
        (["task=imdb_dense", "--config-dir", "nowhere"], "--config-dir: expected a folder"),
        (["task=imdb_dense", "--no-such-flag"], "unrecognized arguments: --no-such-flag"),
    ],
)  # fmt: skip
def test_one_clear_error(project: Path, capsys: pytest.CaptureFixture[str], words: list[str], expected: str) -> None:
    code, said = run(capsys, "train", *words, *SAMPLE)
    assert code == 2
    assert expected in said
    assert "Traceback" not in said
    assert not Path("runs").exists()


def test_an_error_in_a_file_names_file_and_line(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("my/task").mkdir(parents=True)
    Path("my/task/mine.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /dataset: imdb\n\narchitecture:\n  unit: [16]\ntrainers: {}\n"
    )
    code, said = run(capsys, "train", "task=mine", "--config-dir", "my", *SAMPLE)
    assert code == 2
    assert "architecture.unit: no such argument" in said
    assert "Did you mean 'units'?" in said
    assert "my/task/mine.yaml:6" in said
    assert "trainers: no such key" in said
    assert "my/task/mine.yaml:7" in said


def test_a_broken_yaml_is_one_clear_error(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("my/task").mkdir(parents=True)
    Path("my/task/mine.yaml").write_text("trainer: {epochs: [\n")
    code, said = run(capsys, "train", "task=mine", "--config-dir", "my")
    assert code == 2
    assert "mine.yaml" in said
    assert "Traceback" not in said


def test_every_value_of_a_sweep_is_checked_before_the_first_job(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = run(capsys, "train", "-m", "task=imdb_dense", "optimizer=rmsprop,adm", "seed=0,x", *SAMPLE)
    assert code == 2
    assert "no optimizer is called 'adm'" in said
    assert "seed: expected an integer, received 'x'" in said
    assert not Path("runs").exists()


def test_sweep_points_name_every_value_once() -> None:
    points = sweep_points(["task=imdb_dense", "seed=0,1,2", "architecture.units=[4,4],[16,16]"])
    assert len(points) == 4
    assert {word for point in points for word in point} == {
        "task=imdb_dense", "seed=0", "seed=1", "seed=2", "architecture.units=[4,4]", "architecture.units=[16,16]",
    }  # fmt: skip


def test_a_group_chosen_on_the_command_line_starts_from_its_own_file() -> None:
    composed = Composer().compose(["task=imdb_dense", "evaluation=kfold", "evaluation.n_splits=3"])
    assert composed.problems == []
    assert composed.config.evaluation.name == "kfold"
    assert composed.config.evaluation.n_splits == 3
    assert "validation" not in composed.config.evaluation
    assert composed.config.architecture.units == [16, 16]  # the task still says this


def test_the_tasks_own_choice_keeps_the_tasks_values() -> None:
    composed = Composer().compose(["task=imdb_dense", "evaluation=holdout"])
    assert composed.config.evaluation.validation == 10000


def test_a_run_without_a_task_is_called_after_its_parts() -> None:
    composed = Composer().compose(["dataset=imdb", "architecture.units=[8]"])
    config, problems = parse(composed.config, composed.choices["task"])
    assert not problems
    assert config is not None
    assert config.task == "imdb_dense"


def test_nearest_is_silent_when_nothing_is_near() -> None:
    assert nearest("zzz", ["rmsprop", "adam"]) == ""
    assert nearest("rmsprp", ["rmsprop", "adam"]) == "Did you mean 'rmsprop'?"


def test_config_error_reads_well_as_text() -> None:
    assert str(ConfigError("nothing works")) == "nothing works"


def test_only_train_says_that_nothing_was_trained(project, capsys):
    for words, said in ((["train", "task=no_such"], "1 problem in this command; nothing was trained"),
                        (["data"], "1 problem in this command\n"),
                        (["predict", "run=x", "input=y"], "1 problem in this command\n")):  # fmt: skip
        assert cli.main(words) == 2
        assert capsys.readouterr().err.startswith(said)
