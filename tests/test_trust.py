"""Nothing in a config, a run folder or a checkpoint can name code (design section 10): a test per rule."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch
import yaml

from dlrun import cli
from dlrun.claims import compare
from dlrun.compose import CONFIGS, Composer
from dlrun.errors import ConfigError

QUICK = ["dataset.source=sample", "trainer.epochs=1", "trainer.steps_per_epoch=1", "trainer.plots=false"]
PROOF = Path("proof")


class Pwned:
    """A pickle that would make a file."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (open, ("proof", "w"))


def train(*words: str) -> int:
    return cli.main(["train", "task=imdb_dense", *QUICK, *words])


def user_config(file: str, text: str) -> None:
    path = Path("my") / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    "body",
    [
        "hydra:\n  callbacks:\n    evil: {_target_: builtins.open, file: proof, mode: w}\n",
        "hydra:\n  job_logging: {version: 1, handlers: {x: {class: logging.FileHandler, filename: proof}}}\n",
        "hydra:\n  hydra_logging: {version: 1, handlers: {x: {class: logging.FileHandler, filename: proof}}}\n",
        "hydra:\n  run: {dir: proof}\n",
        "hydra:\n  launcher: {_target_: builtins.open}\n",
        "hydra:\n  job: {env_set: {LD_PRELOAD: x}}\n",
    ],
)
@pytest.mark.parametrize("flags", [[], ["-m"], ["--cfg", "hydra"], ["--info", "config"]])
def test_yaml_cannot_change_hydras_node(
    project: Path, capsys: pytest.CaptureFixture[str], body: str, flags: list[str]
) -> None:
    user_config("task/evil.yaml", "# @package _global_\n" + body)
    code = cli.main(["train", "task=evil", "--config-dir", "my", *QUICK, *flags])
    said = capsys.readouterr().err
    assert code == 2
    assert "Hydra's own settings" in said
    assert not PROOF.exists()


def test_a_users_folder_cannot_shadow_hydras_own_groups(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    user_config(
        "hydra/job_logging/none.yaml",
        "version: 1\nhandlers: {x: {class: logging.FileHandler, filename: proof}}\n",
    )
    assert train("--config-dir", "my") == 2
    assert "Hydra's own settings" in capsys.readouterr().err
    assert not PROOF.exists()


@pytest.mark.parametrize(
    "word",
    [
        "+hydra.callbacks.evil._target_=builtins.open",
        "hydra.job_logging.version=2",
        "hydra.run.dir=proof",
        "hydra/callbacks=evil",
        "hydra.launcher._target_=builtins.open",
        "hydra.searchpath=[file:///tmp]",
        "~hydra.job",
    ],
)
def test_the_command_line_may_only_choose_launcher_and_sweeper(
    project: Path, capsys: pytest.CaptureFixture[str], word: str
) -> None:
    assert train(word) == 2
    assert "refused" in capsys.readouterr().err
    assert not PROOF.exists()


@pytest.mark.parametrize(
    "flag", ["--experimental-rerun=x.pickle", "--config-path=my", "--config-name=evil", "-cn=evil"]
)
def test_hydras_flags_that_load_other_things_are_not_there(
    project: Path, capsys: pytest.CaptureFixture[str], flag: str
) -> None:
    assert train(flag) == 2
    said = capsys.readouterr().err
    assert "unrecognized arguments" in said or "invalid choice: 'n=evil'" in said


def test_a_users_base_config_cannot_add_search_paths(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = (CONFIGS / "config.yaml").read_text()
    user_config("config.yaml", base.replace("\nhydra:", "\nhydra:\n  searchpath: ['file:///tmp']"))
    assert train("--config-dir", "my") == 2
    assert "Hydra's own settings" in capsys.readouterr().err


@pytest.mark.parametrize("key", ["_target_", "_partial_", "_recursive_"])
def test_configs_name_components_never_code(project: Path, capsys: pytest.CaptureFixture[str], key: str) -> None:
    user_config("optimizer/evil.yaml", f"name: rmsprop\n{key}: builtins.open\n")
    assert train("optimizer=evil", "--config-dir", "my") == 2
    assert f"optimizer.{key}: no such argument" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["../errors", "os.path", "_table", "/etc/passwd", "__init__"])
def test_a_name_is_a_file_of_the_groups_folder(project: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    user_config("loss/evil.yaml", f"name: {name}\n")
    assert train("loss=evil", "--config-dir", "my") == 2
    assert f"no loss is called '{name}'" in capsys.readouterr().err


def test_only_named_plugin_folders_are_imported(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("losses").mkdir()
    Path("losses/mine.py").write_text("open('proof', 'w')\n")
    user_config("loss/mine.yaml", "name: mine\n")
    assert train("loss=mine", "--config-dir", "my") == 2
    assert "no loss is called 'mine'" in capsys.readouterr().err
    assert not PROOF.exists()


def test_the_resume_state_cannot_run_code(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train() == 0
    (folder,) = Path("runs/imdb_dense").iterdir()
    (folder / "status").unlink()
    (folder / "summary.json").unlink()
    torch.save({"job": 0, "evil": Pwned()}, folder / "checkpoints" / "state.pt")
    (folder / "checkpoints" / "state.pt.previous").unlink(missing_ok=True)
    assert train() == 4
    assert "no resume state can be read" in capsys.readouterr().err
    assert not PROOF.exists()


def test_a_run_folder_cannot_name_code(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train() == 0
    (folder,) = Path("runs/imdb_dense").iterdir()
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["loss"] = {"name": "os.system", "command": "touch proof"}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    assert cli.main(["evaluate", f"run={folder}"]) == 2
    assert "no loss is called 'os.system'" in capsys.readouterr().err
    (folder / "config.yaml").write_text("!!python/object/apply:builtins.open [proof, w]\n")
    assert cli.main(["evaluate", f"run={folder}"]) == 2
    assert not PROOF.exists()


def test_sample_data_are_never_compared_with_the_book() -> None:
    metrics = {"val": {}, "test": {"accuracy": 0.88}}
    real = compare("imdb_dense_final", [], "real", metrics)
    sample = compare("imdb_dense_final", [], "sample", metrics)
    changed = compare("imdb_dense_final", ["task=imdb_dense_final", "optimizer.lr=1"], "real", metrics)
    assert any(c["verdict"].startswith("within") for c in real)
    assert {c["verdict"] for c in sample} == {"not compared: sample data"}
    assert all(c["verdict"].startswith("not compared: changed by optimizer.lr=1") for c in changed)


def test_auto_says_loudly_that_it_took_sample_data(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("dlrun.datasets._files._bring", lambda address, file: "no internet here")
    assert train("dataset.source=auto") == 0
    captured = capsys.readouterr()
    assert "SAMPLE" in captured.err
    assert "SAMPLE" in captured.out


def test_composing_runs_no_logging_config(project: Path) -> None:
    before = logging.getLogger().handlers[:]
    Composer().compose(["task=imdb_dense"])
    assert logging.getLogger().handlers == before


def test_a_foreign_node_is_named(project: Path) -> None:
    user_config("task/evil.yaml", "# @package _global_\nhydra:\n  verbose: true\n")
    composer = Composer([Path("my")])
    with pytest.raises(ConfigError, match=r"hydra\.verbose"):
        composer.compose(["task=evil"])
