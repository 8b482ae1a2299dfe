from __future__ import annotations

import json
import os
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dlrun import memory
from dlrun.cli import main
from dlrun.contracts import Dataset
from dlrun.datasets import _cache, _image_store, image_folder
from dlrun.errors import ConfigError, DataError

Usage = namedtuple("Usage", ["free"])
COLORS = {"blue": (0, 0, 255), "green": (0, 255, 0), "red": (255, 0, 0)}


def paint(path: Path, color, size=(12, 8)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).save(path)


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    """Ten each of three colours, png and jpg."""
    monkeypatch.setenv("DLRUN_DATA", str(tmp_path / "cache"))
    for name, color in COLORS.items():
        for i in range(10):
            paint(tmp_path / "pictures" / name / f"{i}.{'png' if i % 2 else 'jpg'}", color, (10 + i, 20 - i))
    return tmp_path / "pictures"


def build(path, **more):
    return image_folder.build(path=str(path), **({"size": 4} | more))


def test_pictures_are_read_in_one_size_with_their_classes(pictures):
    dataset = build(pictures, size=[4, 6])
    assert isinstance(dataset, Dataset)
    spec = dataset.spec
    assert (spec.inputs["image"].shape, spec.inputs["image"].divide_by) == ((4, 6, 3), 255.0)
    assert (spec.targets["class"].problem, spec.targets["class"].labels) == ("multiclass", tuple(COLORS))
    assert spec.rows == {"train": 24, "test": 6}
    data = dataset.load()
    for part, rows in (("train", data.train), ("test", data.test)):
        image, label = rows.inputs["image"], rows.targets["class"]
        assert (image.dtype, image.shape[1:], label.dtype) == (torch.uint8, (4, 6, 3), torch.int64)
        wanted = torch.tensor(list(COLORS.values()))[label][:, None, None, :]
        assert (image.float() - wanted).abs().max() < 4, "a JPEG is nearly the colour"
        for i in range(len(rows)):
            name = spec.targets["class"].labels[label[i]]
            assert dataset.describe(data, part, i).startswith(f"{name}: {name}/")
    files = data.extras["files"]
    assert len({*files["train"], *files["test"]}) == 30
    assert data.train.targets["class"].tolist() != sorted(data.train.targets["class"].tolist()), "classes are mixed"


def test_grey_and_two_classes(pictures):
    for file in (pictures / "blue").iterdir():
        file.unlink()
    (pictures / "blue").rmdir()
    data = build(pictures, color="grey", test=0).load()
    assert data.train.inputs["image"].shape == (20, 4, 4)
    assert data.train.targets["class"].dtype == torch.float32
    assert data.spec.targets["class"].problem == "binary"
    assert data.test is None


def test_the_second_start_decodes_nothing_and_a_change_is_seen(pictures, monkeypatch):
    first = build(pictures)
    image = first.load().train.inputs["image"]
    with monkeypatch.context() as patch:
        patch.setattr(_image_store, "decode_all", lambda *_: pytest.fail("decoded again"))
        again = build(pictures)
        assert torch.equal(again.load().train.inputs["image"], image)
        assert again.fingerprint == first.fingerprint
    file = pictures / "red" / "3.png"
    paint(file, (0, 0, 0), (13, 17))
    os.utime(file, ns=(1, 1))
    assert build(pictures).fingerprint != first.fingerprint
    assert build(pictures, size=5).load().train.inputs["image"].shape[1:] == (5, 5, 3)


def test_folders_for_train_validation_and_test(pictures, caplog):
    root = pictures.parent / "parted"
    for part, n in (("train", 6), ("val", 3), ("test", 2)):
        for name, color in COLORS.items():
            for i in range(n):
                paint(root / part / name / "deep" / f"{i}.png", color)
    caplog.set_level("INFO", "dlrun")
    data = build(root).load()
    assert data.spec.rows == {"train": 27, "test": 6}
    assert all(f.startswith("val/") == (i >= 18) for i, f in enumerate(data.extras["files"]["train"]))
    assert all(f.startswith("test/") for f in data.extras["files"]["test"])
    assert "the 9 pictures" in caplog.text
    assert "evaluation.validation=given" in caplog.text
    assert data.validation == 9
    paint(root / "test" / "pink" / "0.png", (255, 128, 128))
    with pytest.raises(DataError, match=r"class 'pink' is not in .*train.* blue, green, red"):
        build(root).load()


def test_other_files_are_ignored_and_counted(pictures, caplog):
    (pictures / "notes.txt").write_text("mine")
    (pictures / "red" / "list.txt").write_text("mine")
    (pictures / "red" / ".hidden").write_text("mine")
    (pictures / "red" / "Thumbs.db").write_text("mine")
    assert build(pictures).spec.rows == {"train": 24, "test": 6}
    build(pictures).load()
    assert "are ignored: 2 .txt, 1 .db" in caplog.text


def test_transparent_and_turned_pictures(pictures):
    dataset = build(pictures, size=[4, 8])
    folder = pictures.parent
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(folder / "clear.png")
    assert int(dataset.encode(str(folder / "clear.png")).inputs["image"].min()) == 255, "paper is white"
    upright = np.zeros((40, 80, 3), np.uint8)
    upright[:, :40] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera lay on its side
    Image.fromarray(np.rot90(upright).copy()).save(folder / "turned.jpg", exif=exif, quality=95)
    row = dataset.encode(str(folder / "turned.jpg")).inputs["image"]
    assert row.shape == (1, 4, 8, 3)
    assert row[0, :, 0].min() > 200
    assert row[0, :, -1].max() < 55
    Image.fromarray(np.full((8, 8), 0.5, np.float32)).save(folder / "deep.tif")
    (folder / "text.png").write_text("not a picture")
    for name, words in {
        "deep.tif": "its pixels are 'F', expected 8 or 16 bits",
        "text.png": "is no picture that can be read",
        "absent.png": "No such file",
    }.items():
        with pytest.raises(DataError, match=f"expected the path of a picture file.*{words}"):
            dataset.encode(str(folder / name))


def test_broken_pictures_are_named(pictures):
    (pictures / "red" / "1.png").write_bytes(b"nothing")
    content = (pictures / "green" / "3.png").read_bytes()
    (pictures / "green" / "3.png").write_bytes(content[: len(content) - 30])
    with pytest.raises(DataError) as error:
        build(pictures).load()
    said = str(error.value)
    assert "2 of 30 pictures can't be read" in said
    assert "red/1.png: it is no picture that can be read" in said
    assert "green/3.png: it is no picture that can be read" in said
    assert not list((pictures.parent / "cache").rglob("*.safetensors")), "nothing half-written"


def test_folders_that_can_not_be_learned_from(tmp_path):
    def refused(*words: str, path: Path = tmp_path / "p") -> None:
        with pytest.raises(DataError) as error:
            _ = build(path).spec
        for word in words:
            assert word in str(error.value)

    refused("there is no", "dataset.path")
    (tmp_path / "p" / "cat").mkdir(parents=True)
    refused("no pictures in", "CLASS/PICTURE", ".jpg")
    paint(tmp_path / "p" / "cat" / "1.png", "red")
    refused("one class only, 'cat'")
    (tmp_path / "p" / "dog").mkdir()
    refused("no pictures of class dog")
    refused("expected a folder", path=tmp_path / "p" / "cat" / "1.png")
    with pytest.raises(ConfigError) as error:
        image_folder.build(source="sample", size=[1, 2, 3], test=-1)
    problems = sorted(p.path for p in error.value.problems)
    assert problems == ["dataset.path", "dataset.size", "dataset.source", "dataset.test"]


def test_pictures_of_every_kind_become_the_same(pictures, tmp_path):
    """A half grey one, in whatever way it is kept."""
    dataset, grey = build(pictures), Image.new("RGB", (8, 8), (128, 128, 128))
    kinds = {
        "plain.png": grey,
        "grey.png": grey.convert("L"),
        "black_and_white.png": Image.new("1", (8, 8), 1),
        "palette.png": grey.quantize(4),
        "cmyk.jpg": grey.convert("CMYK"),
        "cmyk.tif": grey.convert("CMYK"),
        "ycbcr.jpg": grey.convert("YCbCr"),
        "deep.png": Image.fromarray(np.full((8, 8), 128 * 257, np.uint16)),
        "deep.tif": Image.fromarray(np.full((8, 8), 128 * 257, np.uint16)),
        "alpha.png": grey.convert("LA"),
    }
    for name, picture in kinds.items():
        picture.save(tmp_path / name)
        pixels = dataset.encode(str(tmp_path / name)).inputs["image"]
        assert (pixels.dtype, pixels.shape) == (torch.uint8, (1, 4, 4, 3))
        wanted = 255 if name == "black_and_white.png" else 128
        assert (pixels.int() - wanted).abs().max() <= 2, name


def test_a_bomb_is_refused_before_it_is_read(pictures, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 5000)
    for name, side in (("large", 80), ("larger", 200)):  # Pillow itself warns of the first, and refuses the second
        paint(pictures / "red" / f"{name}.png", "red", (side, side))
    monkeypatch.setattr(Image.Image, "convert", lambda *_: pytest.fail("read"), raising=True)
    for name in ("large", "larger"):
        with pytest.raises(DataError, match="has more than 5,000 pixels"):
            build(pictures).encode(str(pictures / "red" / f"{name}.png"))


def test_unreadable_pictures_are_left_out_if_asked_for(pictures, caplog):
    """The others, and the order that they are in, stay as they are."""
    before = build(pictures).load()
    gone = ["red/1.png", "green/3.png"]
    for name in gone:
        (pictures / name).write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"dataset\.skip_unreadable=true"):
        build(pictures).load()
    data = build(pictures, skip_unreadable=True).load()
    assert "2 of 30 pictures can't be read and are left out" in caplog.text
    assert sum(data.spec.rows.values()) == 28
    for part in ("train", "test"):
        was, files = before.extras["files"][part], data.extras["files"][part]
        assert files == [file for file in was if file not in gone]
        now, then = getattr(data, part), getattr(before, part)
        rows = [was.index(file) for file in files]
        assert torch.equal(now.inputs["image"], then.inputs["image"][rows])
        assert torch.equal(now.targets["class"], then.targets["class"][rows])
        assert data.spec.rows[part] == len(now)


def test_a_class_that_can_not_be_read_at_all(pictures):
    for file in (pictures / "red").iterdir():
        file.write_bytes(b"nothing")
    with pytest.raises(DataError, match="no picture of red is left for training"):
        build(pictures, skip_unreadable=True).load()


def test_without_a_cache_pictures_are_kept_in_memory_if_they_fit(pictures, monkeypatch, caplog):
    cached = build(pictures).load()
    monkeypatch.setenv("DLRUN_DATA", str(pictures / "red" / "0.jpg" / "nowhere"))
    data = build(pictures).load()
    assert "the cache can't be written" in caplog.text
    assert torch.equal(data.train.inputs["image"], cached.train.inputs["image"])
    monkeypatch.setattr(memory, "available", lambda: 1000)
    with pytest.raises(DataError, match=r"30 pictures of 4 x 4 pixels need about .* GB .*dataset\.size"):
        build(pictures).load()


def test_more_pictures_than_memory_lie_on_disk(pictures, monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 0)
    assert len(build(pictures).load().train) == 24
    monkeypatch.setattr(_cache.shutil, "disk_usage", lambda _: Usage(free=1000))
    with pytest.raises(DataError, match=r"make room in the cache \(DLRUN_DATA\)"):
        build(pictures, size=20).load()


def test_a_whole_run(pictures, project, capsys):
    paint(project / "new.png", COLORS["red"])
    words = ["dataset=image_folder", "dataset.path=pictures", "dataset.size=8", "architecture.units=[8]"]
    words += ["trainer.epochs=30", "trainer.plots=false", "trainer.batch_size=8", "evaluation.test=true"]
    assert main(["train", *words]) == 0
    (summary,) = Path("runs/image_folder_dense").glob("*/summary.json")
    assert json.loads(summary.read_text())["metrics"]["test"]["accuracy"] > 0.8
    assert main(["show", *words]) == 0
    assert main(["evaluate", "run=image_folder_dense"]) == 0
    capsys.readouterr()
    assert main(["predict", "run=image_folder_dense", "input=new.png"]) == 0
    assert "red" in capsys.readouterr().out
