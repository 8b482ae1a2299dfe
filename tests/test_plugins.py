"""A user's own components in a folder of their own: found, named, checked, run, and refused when broken."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import pytest

from dlrun import registry
from dlrun.cli import main

FILES = {
    "datasets/stripes.py": '''
        """Vectors whose largest half tells the class."""
        from __future__ import annotations

        from dataclasses import dataclass
        from typing import Literal

        import torch

        from dlrun.contracts import Data, DataSpec, InputSpec, Rows, TargetSpec
        from dlrun.errors import DataError
        from dlrun.types import Count


        @dataclass
        class Stripes:
            width: int
            source: str
            spec: DataSpec

            def resolve_source(self):
                return "sample"

            def load(self):
                def rows(n, seed):
                    x = torch.randn(n, self.width, generator=torch.Generator().manual_seed(seed))
                    y = (x[:, : self.width // 2].sum(1) > x[:, self.width // 2 :].sum(1)).float()
                    return Rows({"stripe": x}, {"side": y})

                return Data(self.spec, rows(200, 0), rows(50, 1), source="sample")

            def encode(self, raw):
                try:
                    return Rows({"stripe": torch.tensor([[float(v) for v in raw.split(";")]])}, {})
                except ValueError as error:
                    raise DataError(f"expected numbers with ; between, received {raw!r}: {error}") from None

            def describe(self, data, part, row):
                return "a stripe with [red] in it"


        def build(*, source: Literal["real", "sample"] = "sample", width: Count = 8) -> Stripes:
            spec = DataSpec(
                inputs={"stripe": InputSpec(shape=(width,))},
                targets={"side": TargetSpec("binary", classes=2, labels=("[red]right", "[/]left"))},
            )
            return Stripes(width, source, spec)
    ''',
    "architectures/one_layer.py": '''
        """A single layer, for the impatient."""
        from __future__ import annotations

        import torch
        from torch import nn

        from dlrun.contracts import DataSpec
        from dlrun.types import Positive


        class OneLayer(nn.Module):
            output_activations = {"side": "sigmoid"}

            def __init__(self, width, scale):
                super().__init__()
                self.layer = nn.Linear(width, 1)
                self.scale = scale

            def forward(self, inputs):
                logits = self.layer(inputs["stripe"]).squeeze(-1) * self.scale
                return {"side": torch.sigmoid(logits), "side_logits": logits}


        def build(spec: DataSpec, *, scale: Positive = 1.0) -> OneLayer:
            return OneLayer(spec.inputs["stripe"].shape[0], scale)
    ''',
    "losses/hinge.py": '''
        """Hinge loss, as in support vector machines."""
        from __future__ import annotations

        from dataclasses import dataclass

        from dlrun.contracts import DataSpec


        @dataclass(frozen=True)
        class Hinge:
            name: str
            key: str
            margin: float

            def __call__(self, outputs, targets):
                sign = 2 * targets[self.key] - 1
                return (self.margin - sign * outputs[f"{self.key}_logits"]).clamp(min=0)


        def build(spec: DataSpec, *, margin: float = 1.0) -> Hinge:
            return Hinge("hinge", next(iter(spec.targets)), margin)
    ''',
    "metrics/positives.py": '''
        """Share of rows called positive."""
        from __future__ import annotations

        import torch

        from dlrun.contracts import DataSpec


        class Positives:
            key, state_size, higher_is_better = "side", 2, True

            def update(self, outputs, targets, mask):
                called = (outputs["side"] > 0.5).float()
                mask = torch.ones_like(called) if mask is None else mask
                return torch.stack([(called * mask).sum(), mask.sum()])

            def compute(self, state):
                return float(state[0] / state[1])


        def build(spec: DataSpec) -> Positives:
            return Positives()
    ''',
    "optimizers/signs.py": '''
        """Steps of one length, by the sign of the gradient."""
        from __future__ import annotations

        import torch

        from dlrun.contracts import OptimizerSpec
        from dlrun.types import Positive


        class Signs(torch.optim.Optimizer):
            def __init__(self, params, lr):
                super().__init__(params, {"lr": lr})

            @torch.no_grad()
            def step(self, closure=None):
                loss = None
                if closure is not None:
                    with torch.enable_grad():
                        loss = closure()
                for group in self.param_groups:
                    for p in group["params"]:
                        if p.grad is not None:
                            p.sub_(p.grad.sign(), alpha=group["lr"])
                return loss


        def build(*, lr: Positive = 0.01) -> OptimizerSpec:
            return OptimizerSpec(lambda params: Signs(params, lr))
    ''',
    "callbacks/diary.py": '''
        """Writes a line per epoch to a file."""
        from __future__ import annotations

        from pathlib import Path

        from dlrun.contracts import Callback


        class Diary(Callback):
            def __init__(self, file):
                self.file = Path(file)

            def on_epoch_end(self, fit):
                with self.file.open("a") as stream:
                    stream.write(f"{fit.epoch} {fit.logs[0]['val_loss']:.3f}\\n")


        def build(*, file: str = "diary.txt") -> Diary:
            return Diary(file)
    ''',
    "configs/dataset/stripes.yaml": "# Stripes.\nname: stripes\nsource: sample\nwidth: 8\n",
    "configs/architecture/one_layer.yaml": "# One layer.\nname: one_layer\nscale: 1.0\n",
    "configs/loss/hinge.yaml": "# Hinge.\nname: hinge\nmargin: 1.0\n",
    "configs/metrics/positives.yaml": "# Share called positive.\npositives: {}\n",
    "configs/optimizer/signs.yaml": "# Signs.\nname: signs\nlr: 0.05\n",
    "configs/callbacks/diary.yaml": "# Diary.\ndiary:\n  file: diary.txt\n",
    "configs/task/stripes.yaml": """
        # @package _global_
        # Which half is larger, all with parts of my own.
        defaults:
          - override /dataset: stripes
          - override /architecture: one_layer
          - override /loss: hinge
          - override /metrics: [accuracy, positives]
          - override /optimizer: signs
          - override /callbacks: [checkpoint, diary]
        trainer:
          epochs: 3
          batch_size: 20
    """,
}


@pytest.fixture
def mine(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(registry, "_plugin_dirs", [])
    for name, text in FILES.items():
        file = project / "mine" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text).lstrip())
    return project / "mine"


def write(mine: Path, name: str, text: str) -> None:
    (mine / name).write_text(textwrap.dedent(text).lstrip())


def test_a_task_of_the_users_own_parts_trains_evaluates_and_predicts(mine, capsys):
    assert main(["train", "task=stripes", "--plugins", "mine"]) == 0
    shown = capsys.readouterr().out
    assert "accuracy" in shown
    assert "positives" in shown
    (run,) = Path("runs/stripes").iterdir()
    summary = json.loads((run / "summary.json").read_text())
    assert summary["metrics"]["val"]["accuracy"]["mean"] > 0.8
    assert [line.split()[0] for line in Path("diary.txt").read_text().splitlines()] == ["1", "2", "3"]
    assert main(["evaluate", "run=stripes", "--plugins", "mine"]) == 0
    assert main(["predict", "run=stripes", "input=1;1;1;1;-1;-1;-1;-1", "--plugins=mine"]) == 0
    assert "[/]left" in capsys.readouterr().out
    assert main(["show", "task=stripes", "--plugins", "mine"]) == 0
    shown = capsys.readouterr().out
    assert "a stripe with [red] in it" in shown
    assert "[red]right" in shown


def test_without_the_folder_a_run_of_own_parts_names_what_is_missing(mine, capsys, monkeypatch):
    assert main(["train", "-q", "task=stripes", "--plugins", "mine", "trainer.epochs=1"]) == 0
    monkeypatch.setattr(registry, "_plugin_dirs", [])
    assert main(["evaluate", "run=stripes"]) == 2
    shown = capsys.readouterr().err
    assert "no dataset is called 'stripes'" in shown


def test_own_names_are_listed_with_their_one_line(mine, capsys):
    assert main(["list", "loss", "--plugins", "mine"]) == 0
    assert "hinge\tHinge." in capsys.readouterr().out
    (mine / "configs" / "loss" / "hinge.yaml").unlink()
    assert main(["list", "loss", "--plugins", "mine"]) == 0
    assert "hinge\tHinge loss, as in support vector machines." in capsys.readouterr().out


def test_a_file_that_comes_later_is_found(mine, capsys):
    assert main(["list", "loss", "--plugins", "mine"]) == 0
    write(mine, "losses/later.py", '"""Later."""\ndef build(*, margin: float = 1.0): ...\n')
    assert "later" in registry.names("loss")
    assert dict(registry.arguments(registry.load("loss", "later"))) == {"margin": (float, 1.0)}


def test_own_parts_go_with_a_task_from_config_dir_and_with_words(mine, capsys):
    recipes = mine.parent / "recipes"
    (recipes / "task").mkdir(parents=True)
    (recipes / "task" / "night.yaml").write_text(
        "# @package _global_\n# Mine.\ndefaults:\n  - override /dataset: stripes\n"
        "  - override /architecture: one_layer\ntrainer: {epochs: 1}\n"
    )
    words = ["train", "-q", "task=night", "--config-dir", "recipes", "--plugins", "mine", "optimizer=signs"]
    assert main([*words, "optimizer.lr=0.1", "loss={name: hinge, margin: 2.0}"]) == 2  # a group takes a name
    assert main([*words, "optimizer.lr=0.1", "loss=hinge", "loss.margin=2.0"]) == 0
    (run,) = Path("runs/night").iterdir()
    assert "margin: 2.0" in (run / "config.yaml").read_text()


def test_a_misspelt_own_name_or_argument_is_an_error_with_the_nearest(mine, capsys):
    assert main(["train", "task=stripes", "--plugins", "mine", "optimizer=sign"]) == 2
    assert "Did you mean 'signs'?" in capsys.readouterr().err
    assert main(["train", "task=stripes", "--plugins", "mine", "loss.margn=2"]) == 2
    assert "Did you mean 'loss.margin'?" in capsys.readouterr().err
    assert main(["train", "task=stripes", "--plugins", "mine", "dataset.width=-1"]) == 2
    assert "dataset.width" in capsys.readouterr().err
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("def build(:\n    pass\n", "hinge.py can't be imported: SyntaxError: invalid syntax (hinge.py, line 1)"),
        ("import no_such_package\n", "hinge.py:1 can't be imported: ModuleNotFoundError: No module named 'no_such"),
        ("x = 1\ny = x / 0\n", "hinge.py:2 can't be imported: ZeroDivisionError"),
        ('"""No build here."""\n', "hinge.py has no function 'build'"),
        ("build = 3\n", "hinge.py has no function 'build'"),
        (
            "def build(spec, *, margin: 'Foo' = 1.0):\n    pass\n",
            "hinge.py: types of 'build' can't be read: name 'Foo'",
        ),
        ("def build(*, margin: float = 1.0):\n    return None\n", "takes 0 positional arguments but 1"),
    ],
)
def test_a_broken_own_file_is_a_clear_error(mine, capsys, text, told):
    write(mine, "losses/hinge.py", text)
    assert main(["train", "task=stripes", "--plugins", "mine"]) == 2
    shown = capsys.readouterr().err
    assert told in shown
    assert "Traceback" not in shown
    assert not Path("runs").exists()
    assert main(["list", "loss", "--plugins", "mine"]) == 0


@pytest.mark.parametrize("command", ["train", "show", "evaluate", "predict", "list"])
def test_a_folder_without_parts_is_refused(mine, capsys, command):
    (mine.parent / "empty").mkdir()
    for folder in ("empty", "nowhere"):
        assert main([command, "task=stripes", "run=stripes", "--plugins", folder]) == 2
        assert f"received '{folder}'" in capsys.readouterr().err
    assert main([command, "--plugins"]) == 2
