"""Sheets of pictures: what a model sees of its training rows, and what it takes for something else."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dlrun import previewing, sheets
from dlrun.cli import main
from dlrun.commands import _mistakes
from dlrun.contracts import DataSpec, InputSpec, Rows, TargetSpec
from dlrun.sheets import Tile

SMALL = ["dataset.source=sample", "dataset.size=24", "architecture.filters=[4,4]", "architecture.units=[8]"]
TRAIN = [*SMALL, "trainer.epochs=1", "trainer.steps_per_epoch=2", "trainer.plots=false"]


@pytest.fixture
def drawn(monkeypatch):
    """The tiles and titles of sheets, as they are drawn."""
    found: list[tuple[list[Tile], int, str]] = []
    draw = sheets.draw

    def kept(tiles, columns, path, title):
        found.append((list(tiles), columns, title))
        draw(tiles, columns, path, title)

    monkeypatch.setattr(sheets, "draw", kept)
    return found


def test_a_preview_has_originals_and_what_becomes_of_them(project, drawn, capsys):
    words = ["task=dogs_vs_cats_augmented", *SMALL, "preview=seen/pets.png"]
    assert main(["show", *words]) == 0
    assert "preview: seen/pets.png" in capsys.readouterr().out
    with Image.open("seen/pets.png") as picture:
        assert picture.width > 500
    ((tiles, columns, title),) = drawn
    assert "SAMPLE DATA" in title
    assert (len(tiles), columns) == (previewing.PICTURES * (1 + previewing.DRAWS), 1 + previewing.DRAWS)
    assert [tiles[i].title for i in range(0, len(tiles), columns)] == [f"training row {i}" for i in (0, 66, 133, 199)]
    for first in range(0, len(tiles), columns):
        pixels = [tile.pixels for tile in tiles[first : first + columns]]
        assert all(p.shape == (24, 24, 3) and p.min() >= 0 and p.max() <= 1 for p in pixels)
        assert len({p.tobytes() for p in pixels}) == columns, "each is another"
        values = set(np.round(pixels[0] * 255).astype(int).ravel().tolist())
        assert all(set(np.round(p * 255).astype(int).ravel().tolist()) <= values for p in pixels[1:]), "nearest pixels"


def test_grey_pictures_are_previewed_too(project, drawn):
    words = ["task=mnist_convnet", "dataset.source=sample", "architecture.augmentation={vertical_flip: true}"]
    assert main(["show", *words, "preview=digits.png"]) == 0
    tiles = drawn[0][0]
    assert tiles[0].pixels.shape == (28, 28, 1)
    kinds = (tiles[0].pixels, tiles[0].pixels[::-1])
    assert all(any(np.abs(t.pixels - kind).max() < 1e-3 for kind in kinds) for t in tiles[:6])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["preview=x.jpg"], "expected the name of a .png file, received 'x.jpg'"),
        (["preview=x.png"], "this model has no layer image_augmentation"),
    ],
)
def test_a_preview_that_can_not_be(words, said, project, capsys):
    assert main(["show", "task=mnist_convnet", "dataset.source=sample", *words]) == 2
    assert said in capsys.readouterr().err
    assert not Path("x.png").exists()


def test_the_surest_mistakes_come_first(tmp_path, drawn):
    target = TargetSpec("multiclass", 3, labels=("ant", "bee", "cow"))
    spec = DataSpec({"photo": InputSpec((5, 5), divide_by=255.0)}, {"kind": target})
    rows = Rows(
        {"photo": torch.arange(8, dtype=torch.uint8).view(8, 1, 1).expand(8, 5, 5)}, {"kind": torch.arange(8) % 3}
    )
    index = torch.tensor([1, 2, 3, 4, 7])
    values = torch.tensor([[0.6, 0.3, 0.1], [0.1, 0.0, 0.9], [0.0, 0.2, 0.8], [0.1, 0.8, 0.1], [0.2, 0.3, 0.5]])
    assert _mistakes.draw(spec, rows, index, "kind", values, tmp_path / "x.png", "ours") == 3
    ((tiles, _, title),) = drawn
    assert title == "ours\n3 of 5 wrong"
    assert [tile.title for tile in tiles] == ["said cow 0.80, is ant", "said ant 0.60, is bee", "said cow 0.50, is bee"]
    assert [int(tile.pixels[0, 0]) for tile in tiles] == [3, 1, 7]
    right = torch.eye(3)[index % 3]
    assert _mistakes.draw(spec, rows, index, "kind", right, tmp_path / "y.png", "ours") == 0
    assert not (tmp_path / "y.png").exists()


def test_of_two_classes_both_can_be_mistaken():
    said, sure = _mistakes.decided(torch.tensor([0.9, 0.2, 0.5]))
    assert said.tolist() == [1, 0, 0]
    assert sure.tolist() == pytest.approx([0.9, 0.8, 0.5])


def test_mistakes_on_the_rows_held_out(project, drawn, capsys):
    assert main(["train", "task=dogs_vs_cats_scratch", *TRAIN]) == 0
    (summary,) = Path("runs/dogs_vs_cats_scratch").glob("*/summary.json")
    accuracy = json.loads(summary.read_text())["metrics"]["val"]["accuracy"]["mean"]
    capsys.readouterr()
    assert main(["predict", "run=dogs_vs_cats_scratch", "rows=val", "n=0", "mistakes=wrong.png"]) == 0
    shown = capsys.readouterr().out
    wrong = round(100 * (1 - accuracy))
    assert f"{wrong} mistakes: wrong.png" in shown
    assert "train[200]" in shown
    assert Path("wrong.png").exists()
    assert drawn[0][2].endswith(f"val rows · SAMPLE DATA\n{wrong} of 100 wrong")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["rows=val"], "this run held no rows out"),
        (["rows=val", "mistakes=x.gif"], "expected the name of a .png file"),
        (["input=x.png", "mistakes=x.png"], "what is true of an input is not known"),
    ],
)
def test_mistakes_that_can_not_be_shown(words, said, project, capsys):
    words_ = [w for w in TRAIN if "size" not in w] + ["architecture.pooling=max"]
    assert main(["train", "task=mnist_convnet", *words_]) == 0
    assert main(["predict", "run=mnist_convnet", *words]) == 2
    assert said in capsys.readouterr().err


def test_rows_that_are_no_pictures_have_no_sheet_of_mistakes(project, capsys):
    words = ["dataset.source=sample", "trainer.epochs=1", "trainer.steps_per_epoch=2", "trainer.plots=false"]
    assert main(["train", "task=imdb_dense", *words, "evaluation.refit=1"]) == 0
    assert main(["predict", "run=imdb_dense", "rows=val"]) == 2
    assert "the final model was trained on the validation rows too" in capsys.readouterr().err
    assert main(["predict", "run=imdb_dense", "rows=val", "split=r0f0", "n=3"]) == 0
    assert main(["predict", "run=imdb_dense", "rows=test", "mistakes=x.png"]) == 2
    assert "the rows are no pictures: review (10000,)" in capsys.readouterr().err
