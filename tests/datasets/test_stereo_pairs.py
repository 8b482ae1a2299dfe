from __future__ import annotations

import numpy as np
import pytest

from dlrun.datasets import stereo_pairs
from dlrun.datasets.stereo_pairs import LABELS

SIZE = 64


@pytest.fixture(scope="module")
def data():
    return stereo_pairs.build(n=400, size=SIZE).load()


def edges(rows, name):
    """Where the object is across, from what each column differs from the picture's upper or lower edge, [N]."""
    picture = rows.inputs[name].float().mean(-1).numpy()
    wall = np.median(picture, axis=1, keepdims=True)
    weights = (np.abs(picture - wall) > 20).sum(1)
    return (weights * np.arange(SIZE)).sum(1) / weights.sum(1)


def score(data, features):
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=100, max_iter=500).fit(features(data.train), data.train.targets["distance"].numpy())
    return model.score(features(data.test), data.test.targets["distance"].numpy())


def test_the_place_in_both_pictures_tells_the_distance_and_one_picture_does_not(data):
    def of(*names):
        return lambda rows: np.stack([edges(rows, name) for name in names], 1)

    assert score(data, of("left", "right")) > 0.9
    for name in ("left", "right"):
        assert score(data, of(name)) < 0.45


def test_the_nearer_the_further_apart(data):
    for part in ("train", "test"):
        rows, disparity = getattr(data, part), data.extras["disparity"][part]
        measured = edges(rows, "left") - edges(rows, "right")
        assert np.median(np.abs(measured - disparity)) < 0.3
        labels = rows.targets["distance"].numpy()
        assert [set(disparity[labels == i]) for i in range(3)] == [{0, 1, 2}, {3, 4, 5}, {6, 7, 8}]


def test_the_wall_is_at_one_place(data):
    left, right = (data.test.inputs[name][:, 0].float() for name in ("left", "right"))  # the uppermost row
    assert float((left - right).abs().median()) < 10


def test_the_default_is_the_book_s_size():
    dataset = stereo_pairs.build()
    assert dataset.spec.inputs["left"].shape == (250, 250, 3)
    assert dataset.spec.targets["distance"].labels == LABELS
