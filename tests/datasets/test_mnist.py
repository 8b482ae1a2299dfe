from __future__ import annotations

import inspect
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from torch import nn

from dlrun.contracts import Dataset
from dlrun.datasets import imdb, mnist
from dlrun.errors import DataError


@pytest.fixture(scope="module")
def sample():
    return mnist.build(source="sample").load()


@pytest.mark.parametrize("module", [mnist, imdb])
def test_the_yaml_holds_the_defaults_of_build(module):
    name = module.__name__.rsplit(".", 1)[-1]
    path = Path(__file__).parents[2] / "configs" / "dataset" / f"{name}.yaml"
    assert path.read_text().startswith("# ")
    defaults = {p.name: p.default for p in inspect.signature(module.build).parameters.values()}
    assert yaml.safe_load(path.read_text()) == {"name": name, **defaults}
    assert isinstance(module.build(), Dataset)


def test_real_pictures_are_the_book_s(real):
    dataset = mnist.build()
    data = dataset.load()
    image, digit = data.train.inputs["image"], data.train.targets["digit"]
    assert (image.dtype, image.shape, digit.dtype, digit.shape) == (
        torch.uint8,
        (60_000, 28, 28),
        torch.int64,
        (60_000,),
    )
    assert data.test.inputs["image"].shape == (10_000, 28, 28)
    assert digit[:3].tolist() + digit[-3:].tolist() == [5, 0, 4, 5, 6, 8]
    test_digit = data.test.targets["digit"]
    assert test_digit[:3].tolist() + test_digit[-3:].tolist() == [7, 2, 1, 4, 5, 6]
    assert int(image.max()) == 255
    assert data.source == dataset.resolve_source() == "real"
    assert data.checksums == {file.name: file.sha256 for file in mnist.FILES}
    assert dataset.spec.rows == {"train": len(data.train), "test": len(data.test)}
    assert dataset.describe(data, "train", 0) == "5 (mean ink 0.14)"
    start = time.perf_counter()
    mnist.build().load()
    assert time.perf_counter() - start < 0.3


def test_sample_pictures_look_alike_and_are_the_same_each_time(cache, sample):
    again = mnist.build(source="sample").load()
    for part in ("train", "test"):
        one, two = getattr(sample, part), getattr(again, part)
        assert torch.equal(one.inputs["image"], two.inputs["image"])
        assert torch.equal(one.targets["digit"], two.targets["digit"])
    assert sample.train.inputs["image"].shape == (6_000, 28, 28)
    assert sample.train.inputs["image"].dtype == torch.uint8
    assert len(sample.test) == 1_000
    assert sample.train.targets["digit"].bincount(minlength=10).min() > 400
    assert (sample.source, sample.checksums) == ("sample", {})
    assert sample.spec.rows["train"] == 60_000
    assert not cache.exists(), "a sample needs no files"


def test_sample_pictures_can_be_learned(sample):
    torch.manual_seed(0)
    x, y = sample.train.inputs["image"].flatten(1) / 255, sample.train.targets["digit"]
    x_test, y_test = sample.test.inputs["image"].flatten(1) / 255, sample.test.targets["digit"]
    scores = {}
    for name, net in {
        "linear": nn.Linear(784, 10),
        "dense": nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10)),
    }.items():
        optimizer = torch.optim.RMSprop(net.parameters(), lr=1e-3, alpha=0.9)
        for _ in range(5):
            for rows in torch.randperm(len(x)).split(128):
                optimizer.zero_grad()
                nn.functional.cross_entropy(net(x[rows]), y[rows]).backward()
                optimizer.step()
        scores[name] = float((net(x_test).argmax(1) == y_test).float().mean())
    assert scores["linear"] > 0.85
    assert scores["dense"] > 0.95
    assert scores["dense"] > scores["linear"]


def test_encode_reads_a_picture_of_any_size_and_colour(tmp_path):
    dataset = mnist.build(source="sample")
    bright = np.full((56, 56, 3), 250, np.uint8)
    bright[14:42, 24:32] = 0  # a dark stroke
    Image.fromarray(bright).save(tmp_path / "bright.png")
    Image.fromarray(255 - bright).save(tmp_path / "dark.png")
    clear = np.zeros((56, 56, 4), np.uint8)
    clear[14:42, 24:32, 3] = 255
    Image.fromarray(clear).save(tmp_path / "clear.png")
    for name in ("bright.png", "dark.png", "clear.png"):
        rows = dataset.encode(str(tmp_path / name))
        image = rows.inputs["image"]
        assert (image.dtype, image.shape, rows.targets) == (torch.uint8, (1, 28, 28), {})
        assert int(image[0, 14, 13]) > 230, name
        assert int(image[0, 0, 0]) < 10, name
    Image.fromarray(bright[:, 14:42]).save(tmp_path / "narrow.png")
    narrow = dataset.encode(str(tmp_path / "narrow.png")).inputs["image"]
    assert narrow.shape == (1, 28, 28)
    assert int(narrow[0, 14, 0]) < 10
    (tmp_path / "text.png").write_text("not a picture")
    for path in ("text.png", "absent.png", "."):
        with pytest.raises(DataError, match="expected the path of a picture file"):
            dataset.encode(str(tmp_path / path))


def test_auto_takes_the_sample_where_nothing_can_be_had(cache, monkeypatch, caplog):
    monkeypatch.setattr(mnist, "FILES", [mnist.File("mnist", "absent.gz", None, "0" * 64, 1)])
    dataset = mnist.build(source="auto")
    assert dataset.resolve_source() == "sample"
    assert dataset.load().source == "sample"
    assert len(caplog.records) == 1, "said once"
    with pytest.raises(DataError, match=r"dataset\.source=sample"):
        mnist.build().load()
