"""The example of CONTRIBUTING.md works as it stands there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from dlrun import cli, registry

TEXT = (Path(__file__).parent.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")


@pytest.fixture
def plugins(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files of the document, in a folder of their own."""
    monkeypatch.setattr(registry, "_plugin_dirs", [])
    for kind, name, body in re.findall(r"```(python|yaml)\n# (\S+)\n(.*?)```", TEXT, re.DOTALL):
        path = project / "mine" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(body, encoding="utf-8")
        assert kind in ("python", "yaml")
    return project / "mine"


def test_a_dataset_in_two_files_and_a_task_in_one(plugins: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "--plugins", str(plugins), "task=blobs_dense", "optimizer.lr=0.01"]) == 0
    (summary,) = Path("runs/blobs_dense").glob("*/summary.json")
    assert json.loads(summary.read_text())["metrics"]["val"]["accuracy"]["mean"] > 0.85
    assert cli.main(["predict", "--plugins", str(plugins), "run=blobs_dense", "input=-2,0"]) == 0
    assert "left" in capsys.readouterr().out


def test_without_the_plugins_the_name_is_unknown(plugins: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "task=blobs_dense"]) == 2
    assert "no task is called 'blobs_dense'" in capsys.readouterr().err
