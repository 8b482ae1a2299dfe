from __future__ import annotations

import numpy as np
import pytest
import torch

from dlrun.datasets import _drawing, shapes


@pytest.fixture(scope="module")
def data():
    return shapes.build(n=1_200).load()


def outlines(rows):
    """Ink as 0 and 1, cut out and of one size: what is left when place, size and colours do not count. [N, 144]"""
    grey = rows.inputs["image"].float().mean(-1).numpy()
    found = []
    for picture in grey:
        paper = np.median(np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]]))
        ink = np.abs(picture - paper) > 40
        ys, xs = (np.flatnonzero(ink.any(axis)) for axis in (1, 0))
        cut = picture[ys[0] : ys[-1] + 1, xs[0] : xs[-1] + 1]
        grid = [np.linspace(0, n - 1, 12).round().astype(int) for n in cut.shape]
        found.append((np.abs(cut - paper) > 40)[np.ix_(*grid)].ravel())
    return np.array(found, np.float32)


def test_the_outline_tells_the_shape(data):
    from sklearn.svm import SVC

    model = SVC().fit(outlines(data.train), data.train.targets["shape"].numpy())
    assert model.score(outlines(data.test), data.test.targets["shape"].numpy()) > 0.85


def test_colours_and_pixels_as_they_are_do_not(data):
    from sklearn.linear_model import LogisticRegression

    def colours(rows):
        return rows.inputs["image"].float().mean((1, 2)).numpy() / 255

    model = LogisticRegression(max_iter=300).fit(colours(data.train), data.train.targets["shape"].numpy())
    assert model.score(colours(data.test), data.test.targets["shape"].numpy()) < 0.17


def test_classes_are_even_and_the_first_so_many(data):
    assert torch.bincount(data.train.targets["shape"]).tolist() == [120] * 10
    assert data.spec.targets["shape"].labels == tuple(_drawing.SHAPES)
    three = shapes.build(n=30, classes=3)
    assert three.spec.targets["shape"].labels == ("circle", "square", "triangle")
    assert three.load().train.targets["shape"].unique().tolist() == [0, 1, 2]


@pytest.mark.parametrize("shape", _drawing.SHAPES)
def test_a_shape_stays_within_its_radius_and_is_painted_in_its_place(shape):
    canvas = np.zeros((40, 50, 3), np.float32)
    _drawing.paint(canvas, shape, (30.0, 15.0), 12.0, np.array([255, 100, 0], np.float32))
    ys, xs = np.nonzero(canvas[..., 0])
    assert np.hypot(xs + 0.5 - 30, ys + 0.5 - 15).max() < 12 * 1.25 + 1  # corners of a box reach further
    assert canvas.max((0, 1)).tolist() == [255, 100, 0]
    before = canvas.copy()
    _drawing.paint(canvas, shape, (-30.0, 15.0), 12.0, np.ones(3, np.float32))
    assert np.array_equal(canvas, before), "what lies outside is lost"


def test_a_turned_square_is_a_diamond():
    turned, straight = np.zeros((2, 40, 40, 3), np.float32)
    white = np.ones(3, np.float32)
    _drawing.paint(turned, "square", (20.0, 20.0), 12.0, white, np.pi / 4)
    _drawing.paint(straight, "diamond", (20.0, 20.0), 12.0 * 0.75 * 2**0.5, white)
    assert np.abs(turned - straight).mean() < 0.01


def test_a_picture_file_is_a_row(tmp_path):
    from PIL import Image

    Image.new("RGB", (100, 50), (10, 20, 30)).save(tmp_path / "plain.png")
    image = shapes.build(size=16).encode(str(tmp_path / "plain.png")).inputs["image"]
    assert image.shape == (1, 16, 16, 3)
    assert image[0, 3, 5].tolist() == [10, 20, 30]
