"""`dlrun explain run=…`, its help, and what it says about wrong words."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from _small_nets import size
from PIL import Image

from dlrun import registry
from dlrun.cli import main
from dlrun.commands import explain, help_of
from dlrun.completing import KEYS, candidates

NET = ["architecture=convnet", "architecture.filters=[4,20]", "architecture.units=[8]", "trainer.epochs=1",
       "trainer.plots=false", "trainer.compile=never"]  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with runs of a small convnet on shapes and on drawn digits, and pictures for both."""
    folder = tmp_path_factory.mktemp("trained")
    before = Path.cwd()
    os.chdir(folder)
    try:
        assert main(["train", "-q", "dataset=shapes", "dataset.n=60", "dataset.size=24", *NET]) == 0
        assert main(["train", "-q", "dataset=mnist", "dataset.source=sample", *NET, "trainer.steps_per_epoch=2"]) == 0
        assert (
            main(["train", "-q", "dataset=line", "architecture.units=[4]", "trainer.epochs=1", "trainer.plots=false"])
            == 0
        )
    finally:
        os.chdir(before)
    random = np.random.default_rng(0)
    Image.fromarray(random.integers(0, 256, (30, 50, 3), dtype=np.uint8)).save(folder / "shape.png")
    stroke = np.full((20, 60), 255, np.uint8)
    stroke[4:16, 28:32] = 0
    Image.fromarray(stroke).save(folder / "one.png")
    return folder


@pytest.fixture
def runs(project, trained):
    shutil.copytree(trained, project, dirs_exist_ok=True)
    return project


def explained(*words: str) -> Path:
    """The folder of the pictures of a command that works."""
    assert main(["explain", *words]) == 0
    run = next(word.removeprefix("run=") for word in words if word.startswith("run="))
    (folder,) = Path("runs", run).iterdir()
    return folder / "artifacts" / "explain"


def test_activations_of_a_run(runs, capsys):
    place = explained("run=shapes_convnet", "method=activations", "image=shape.png") / "activations" / "shape"
    assert size(place / "input.png") == (24, 24)
    assert size(place / "conv2d_1.png") == (22 * 16, 22)
    assert size(place / "max_pooling2d_2.png") == (4 * 16, 4 * 2)
    shown = capsys.readouterr().out
    assert "shapes_convnet" in shown
    assert "5 pictures written to" in shown


def test_gradcam_over_the_users_picture_as_it_is(runs):
    place = explained("run=shapes_convnet", "method=gradcam", "image=shape.png", "class=ring") / "gradcam" / "shape"
    assert size(place / "ring_overlay.png") == (50, 30)
    picture, overlay = (np.asarray(Image.open(f)).astype(int) for f in ("shape.png", place / "ring_overlay.png"))
    assert (overlay >= np.minimum(picture, 254)).all()


def test_a_picture_that_was_not_stretched_is_shown_as_the_net_read_it(runs, capsys):
    """mnist pads a picture to a square and turns dark strokes bright: places in the file would be others."""
    place = explained("run=mnist_convnet", "method=gradcam", "image=one.png", "class=3") / "gradcam" / "one"
    assert size(place / "3_overlay.png") == (28 * 8, 28 * 8)
    overlay = np.asarray(Image.open(place / "3_overlay.png")).astype(int)
    assert overlay[:16].mean() < 120  # paper is dark to the net
    assert "SAMPLE DATA" in capsys.readouterr().out


def test_filters_of_grey_nets_are_grey(runs):
    place = explained("run=mnist_convnet", "method=filters", "steps=2") / "filters"
    assert size(place / "conv2d_1.png") == (8 * 28 + 35, 8 * 28 + 35)
    pattern = np.asarray(Image.open(place / "conv2d_1.png"))
    assert (pattern[..., 0] == pattern[..., 2]).all()


def test_out_is_where_pictures_go(runs):
    assert main(["explain", "-q", "run=shapes_convnet", "method=filters", "steps=1", "layer=conv2d_1", "out=here"]) == 0
    assert size(Path("here/filters/conv2d_1.png")) == (547, 547)
    assert not list(Path("runs").rglob("explain"))


def refused(capsys, *words: str) -> str:
    assert main(["explain", *words]) in (2, 3)
    return " ".join(capsys.readouterr().err.split())


GRADCAM = ("run=shapes_convnet", "method=gradcam", "image=shape.png")


@pytest.mark.parametrize(
    ("words", "messages"),
    [
        (["method=gradcam"], ["run: expected one of run=… and backbone=…", "image: missing"]),
        (["run=shapes_convnet", "image=a"], ["method: missing: give method=…", "available: activations, filters, gradcam"]),
        (["run=shapes_convnet", "method=gradcamm"], ["no method is called 'gradcamm' Did you mean 'gradcam'?"]),
        (["run=shapes_convnet", "backbone=vgg16", "method=filters"], ["expected one of run=… and backbone=…"]),
        (["shapes_convnet", "method=filters"], ["shapes_convnet: expected key=value"]),
        ([*GRADCAM, "steps=4", "top=0", "score=sum"],
         ["steps: no such key of method=gradcam", "top: expected greater than or equal to 1, received 0",
          "score: expected 'probability' or 'logit'"]),
        (["run=shapes_convnet", "method=filters", "chanels=1", "size=x", "step_size=-1"],
         ["Did you mean 'channels'?", "size: expected an integer, received 'x'", "step_size: expected greater than 0"]),
        ([*GRADCAM, "weights=first"], ["weights: expected last or best of a run, received 'first'"]),
        ([*GRADCAM, "preprocessing=tf"], ["preprocessing: it is for backbone=…"]),
        ([*GRADCAM, "layer=conv2d_9,dense_1"],
         ["no layer is called 'conv2d_9' Did you mean 'conv2d_", "'dense_1' gives (8,), no maps"]),
        ([*GRADCAM, "layer=conv2d_1,conv2d_2"], ["layer: expected one layer, received 2"]),
        ([*GRADCAM, "class=rign"], ["no class is called 'rign' Did you mean 'ring'?"]),
        ([*GRADCAM, "target=shpae"], ["no target 'shpae' Did you mean 'shape'?"]),
        ([*GRADCAM[:2], "image=lost.png"], ["received 'lost.png': No such file"]),
        (["run=line_dense", "method=filters"], ["reads no pictures, but"]),
        (["run=shape_convnet", "method=filters"], ["no run 'shape_convnet' in runs", "'shapes_convnet'"]),
    ],
)  # fmt: skip
def test_wrong_words_are_told_together(words, messages, runs, capsys):
    shown = refused(capsys, *words)
    for message in messages:
        assert message in shown
    assert "Traceback" not in shown
    assert not list(Path("runs").rglob("explain"))


def every_key() -> set[str]:
    arguments = [registry.arguments(registry.load("method", name)) for name in registry.names("method")]
    return {*explain.OWN, *(key.rstrip("_") for found in arguments for key in found)}


def test_the_help_and_the_completion_know_every_key():
    text = help_of("explain")
    said = set(re.findall(r"\b([a-z_]+)(?==|:)", text))
    assert every_key() <= said
    assert {key.rstrip("=") for key in KEYS["explain"]} == every_key()


def test_the_examples_of_the_help_are_commands_of_known_keys():
    examples = [
        line.split()[2:]
        for line in help_of("explain").splitlines()
        if line.startswith("  dlrun explain ") and "NAME" not in line
    ]
    assert len(examples) >= 6
    for words in examples[1:]:
        given = explain._given(words)
        _, types = explain._method(given)
        assert set(given) <= {*explain.OWN, *types}


def test_completion_knows_methods_and_backbones():
    assert candidates("dlrun explain method=") == ["method=activations", "method=filters", "method=gradcam"]
    assert candidates("dlrun explain backbone=vgg") == ["backbone=vgg16", "backbone=vgg19"]
    assert candidates("dlrun explain sco") == ["score="]


def test_a_method_of_ones_own_is_a_file(runs, capsys, monkeypatch):
    monkeypatch.setattr(registry, "_plugin_dirs", [])
    Path("mine/explaining").mkdir(parents=True)
    Path("mine/explaining/count.py").write_text(
        '"""How many layers there are."""\n'
        "from dlrun.explaining._layers import layers\n"
        "from dlrun.explaining._report import Report\n"
        "class Count:\n"
        "    classes = False\n"
        "    def explain(self, subject, folder):\n"
        "        (folder / 'count.txt').write_text('x')\n"
        "        return Report('all', ['layers'], [[len(list(layers(subject.network)))]], [], [folder / 'count.txt'])\n"
        "def build(*, least: int = 0):\n"
        "    return Count()\n"
    )
    assert main(["explain", "--plugins", "mine", "run=shapes_convnet", "method=count", "least=3", "out=."]) == 0
    assert "\n7\n" in capsys.readouterr().out
