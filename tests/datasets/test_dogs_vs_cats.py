from __future__ import annotations

import hashlib
import zipfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dlrun.contracts import Dataset
from dlrun.datasets import dogs_vs_cats
from dlrun.errors import ConfigError, DataError

PARTS = {"train": [0, 4], "validation": [4, 6], "test": [6, 8]}
BOOK = {"train": [0, 1000], "validation": [1000, 1500], "test": [1500, 2000]}


def build(**more):
    return dogs_vs_cats.build(**({"size": 4} | PARTS | more))


def photograph(animal: str, number: int) -> bytes:
    """A JPEG whose red says the number, and whose blue says that it is a dog."""
    file = BytesIO()
    Image.new("RGB", (9 + number, 12), (25 * number, 0, 255 * (animal == "dog"))).save(file, "JPEG", quality=95)
    return file.getvalue()


LAYOUTS = {
    "the book": lambda animal, n: f"cats_and_dogs_small/{'train' if n < 4 else 'test'}/{animal}s/{animal}.{n}.jpg",
    "Kaggle": lambda animal, n: f"{animal}.{n}.jpg",
    "Microsoft": lambda animal, n: f"PetImages/{animal.capitalize()}/{n}.jpg",
}


@pytest.fixture(params=LAYOUTS)
def folder(request, tmp_path, cache):
    """Ten of each, and what else lies in such archives."""
    for animal in ("cat", "dog"):
        for n in range(10):
            file = tmp_path / "pets" / LAYOUTS[request.param](animal, n)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(photograph(animal, n))
    (tmp_path / "pets" / "Thumbs.db").write_bytes(b"no picture")
    (tmp_path / "pets" / "readme[1].txt").write_bytes(b"no picture")
    return tmp_path / "pets"


def check(data, where):
    """Rows are the file numbers in order, cat and dog in turn, the validation part last."""
    assert data.spec.rows == {"train": 12, "test": 4}
    for part, numbers in (("train", range(6)), ("test", range(6, 8))):
        rows = getattr(data, part)
        image, animal = rows.inputs["image"], rows.targets["animal"]
        assert (image.dtype, image.shape[1:], animal.dtype) == (torch.uint8, (4, 4, 3), torch.float32)
        assert animal.tolist() == [0.0, 1.0] * len(numbers)
        assert (image[:, 0, 0, 0].float() - torch.tensor([25.0 * n for n in numbers for _ in range(2)])).abs().max() < 4
        assert ((image[:, 0, 0, 2] > 128).float() == animal).all()
        files = data.extras["files"][part]
        assert [int("".join(c for c in Path(f).name if c.isdigit())) for f in files] == [
            n for n in numbers for _ in "cd"
        ]
    assert where in data.checksums


def test_a_folder_of_ones_own(folder):
    dataset = build(path=str(folder))
    assert isinstance(dataset, Dataset)
    check(dataset.load(), str(folder))
    before = dataset.fingerprint
    file = folder / dataset.load().extras["files"]["train"][3]
    file.write_bytes(photograph("dog", 9))
    assert build(path=str(folder)).fingerprint != before


def test_the_archive_is_pinned_and_not_unpacked(folder, tmp_path, cache, monkeypatch):
    archive = tmp_path / "mirror" / "dogs_vs_cats" / "made.zip"
    archive.parent.mkdir(parents=True)
    with zipfile.ZipFile(archive, "w") as made:
        for file in sorted(folder.rglob("*")):
            made.write(file, file.relative_to(folder))
    pinned = replace(
        dogs_vs_cats.SUBSET, name="made.zip", sha256=hashlib.sha256(archive.read_bytes()).hexdigest(), bytes=1
    )
    monkeypatch.setattr(dogs_vs_cats, "SUBSET", pinned)
    monkeypatch.setattr(dogs_vs_cats, "OFFICIAL", pinned)
    assert build(source="auto").resolve_source() == "sample"
    with pytest.raises(DataError, match=r"set dataset\.path to a folder with cat\.N\.jpg"):
        build().load()
    monkeypatch.setenv("DLRUN_MIRROR", str(tmp_path / "mirror"))
    dataset = build(source="auto")
    assert dataset.resolve_source() == "real"
    assert dataset.fingerprint is None
    check(dataset.load(), "made.zip")
    assert sorted(f.name for f in (cache / "dogs_vs_cats").iterdir() if f.suffix != ".checked")[1:] == ["made.zip"]


def test_unreadable_pictures_are_named_or_left_out(folder, caplog):
    names = build(path=str(folder)).load().extras["files"]["train"]
    (folder / names[2]).write_bytes(b"")
    (folder / names[5]).write_bytes((folder / names[5]).read_bytes()[:-40])
    with pytest.raises(DataError) as error:
        build(path=str(folder)).load()
    for words in ("2 of 16 pictures can't be read", names[2], names[5], "dataset.skip_unreadable=true"):
        assert words in str(error.value)
    data = build(path=str(folder), skip_unreadable=True).load()
    assert data.spec.rows == {"train": 10, "test": 4}
    assert data.train.targets["animal"].tolist() == [0, 1, 1, 0, 0, 1, 0, 1, 0, 1]
    assert names[2] not in data.extras["files"]["train"]


def test_what_is_missing_is_told(folder):
    for file in folder.rglob("*og*7.jpg"):
        file.unlink()
    for file in folder.rglob("Dog/7.jpg"):
        file.unlink()
    with pytest.raises(
        DataError, match=r"1 pictures of a dog are missing, the first is number 7; there are 9, numbers 0 to 9"
    ):
        build(path=str(folder)).load()
    for file in (*folder.rglob("dog.*.jpg"), *folder.rglob("Dog/*.jpg")):
        file.unlink()
    with pytest.raises(DataError, match=r"no picture of a dog is there, expected dog\.N\.jpg or Dog/N\.jpg"):
        build(path=str(folder)).load()


def test_one_number_twice(folder):
    (folder / "deeper").mkdir()
    (folder / "deeper" / "cat.3.jpg").write_bytes(photograph("cat", 3))
    with pytest.raises(DataError, match="two pictures are cat number 3"):
        build(path=str(folder)).load()


def test_a_file_in_place_of_a_folder(tmp_path, cache):
    (tmp_path / "cat.0.jpg").write_bytes(photograph("cat", 0))
    with pytest.raises(DataError, match="expected a folder"):
        build(path=str(tmp_path / "cat.0.jpg")).load()
    (tmp_path / "torn.zip").write_bytes(b"PK")
    with pytest.raises(DataError, match="can't be read"):
        dogs_vs_cats.in_archive(tmp_path / "torn.zip", [(0, 1)])


def test_parts_that_overlap_or_are_none(cache):
    with pytest.raises(ConfigError) as error:
        build(train=[0, 10, 20], validation=[5, 4], size=[1, 2, 3])
    assert sorted(p.path for p in error.value.problems) == ["dataset.size", "dataset.train", "dataset.validation"]
    with pytest.raises(ConfigError, match=r"dataset.validation: file number 9 is in dataset.train too"):
        build(train=[0, 10], validation=[9, 12], test=[12, 13])
    assert build(test=[0, 0]).spec.rows == {"train": 12, "test": 0}


def test_no_test_pictures(folder):
    data = build(path=str(folder), test=[8, 8]).load()
    assert data.test is None


def test_nearest_takes_pixels_as_they_are_and_bilinear_their_mean(tmp_path, cache):
    stripes = np.zeros((12, 12, 3), np.uint8)
    stripes[:, ::2] = 200
    Image.fromarray(stripes).save(tmp_path / "stripes.png")
    nearest, bilinear = (
        build(interpolation=how).encode(str(tmp_path / "stripes.png")).inputs["image"]
        for how in ("nearest", "bilinear")
    )
    assert set(nearest.unique().tolist()) <= {0, 200}
    assert torch.equal(nearest[0], torch.from_numpy(stripes[1::3, 1::3]))
    assert (bilinear.float() - 100).abs().max() < 40
    with pytest.raises(DataError, match="expected the path of a picture file"):
        build().encode(str(tmp_path / "absent.png"))


def test_sample_is_drawn_and_can_be_learned(cache):
    """By the means of blocks of pixels in grey, and logistic regression: ears are what differs."""
    from sklearn.linear_model import LogisticRegression

    dataset = dogs_vs_cats.build(source="sample", size=[32, 40], **BOOK)
    assert dataset.fingerprint is None
    data = dataset.load()
    assert (data.source, len(data.train), len(data.test)) == ("sample", 300, 100)
    assert data.train.inputs["image"].shape == (300, 32, 40, 3)
    assert data.train.targets["animal"].mean() == 0.5

    def features(rows):
        grey = rows.inputs["image"].float().mean(-1)
        outline = (grey - grey[:, :3].mean((1, 2), keepdim=True)).abs()
        return torch.nn.functional.avg_pool2d(outline[:, None], 4).flatten(1).numpy()

    model = LogisticRegression(max_iter=2000).fit(features(data.train), data.train.targets["animal"])
    assert model.score(features(data.test), data.test.targets["animal"]) > 0.85
    assert dataset.describe(data, "test", 1).startswith("dog: ")


def test_the_books_pictures(real):
    dataset = dogs_vs_cats.build(size=16, **BOOK)
    data = dataset.load()
    assert data.spec.rows == {"train": 3000, "test": 1000}
    files = data.extras["files"]["train"]
    numbers = [int(Path(f).name.split(".")[1]) for f in files]
    assert numbers[:2000] == [n for n in range(1000) for _ in range(2)]
    assert numbers[2000:] == [n for n in range(1000, 1500) for _ in range(2)]
    assert all("/validation/" in f for f in files[2000:])
    assert dataset.describe(data, "test", 400) == "cat: cats_and_dogs_small/test/cats/cat.1700.jpg"
    whole = dogs_vs_cats.build(**{**BOOK, "test": [1500, 12_500]}, size=16)
    with pytest.raises(DataError, match=r"10,500 pictures of a cat are missing, the first is number 2000"):
        whole.load()
