from __future__ import annotations

import numpy as np
import pytest
import torch

from dlrun.datasets import points_2d
from dlrun.errors import DataError


def arrays(rows) -> tuple[np.ndarray, np.ndarray]:
    return rows.inputs["point"].numpy(), rows.targets["colour"].numpy()


def test_rows_agree_with_the_spec_and_are_the_same_each_time(cache):
    dataset = points_2d.build(n=60)
    one, two = dataset.load(), points_2d.build(n=60).load()
    for part in ("train", "test"):
        points, colours = getattr(one, part).inputs["point"], getattr(one, part).targets["colour"]
        assert points.shape == (dataset.spec.rows[part], *dataset.spec.inputs["point"].shape) == (60, 2)
        assert (colours.shape, points.dtype, colours.dtype) == ((60,), torch.float32, torch.float32)
        assert set(colours.tolist()) == {0, 1}
        assert torch.equal(points, getattr(two, part).inputs["point"])
        assert torch.equal(colours, getattr(two, part).targets["colour"])
    assert not set(map(tuple, one.train.inputs["point"].tolist())) & set(map(tuple, one.test.inputs["point"].tolist()))
    assert not cache.exists()


def test_the_new_axes_are_those_of_the_figure():
    # The book's own pair of axes for a turn: u = (cos, sin) and v = (-sin, cos) become (1, 0) and (0, 1).
    turn = np.deg2rad(30)
    u, v = (np.cos(turn), np.sin(turn)), (-np.sin(turn), np.cos(turn))
    assert points_2d.change_axes(np.array([u, v]), 30, 0) == pytest.approx(np.eye(2))
    assert points_2d.change_axes(np.array([u, v]), 30, 0.25) == pytest.approx(np.array([[0.75, 0], [-0.25, 1]]))


@pytest.mark.parametrize("angle", [45.0, 90.0, -200.0])
def test_one_rule_holds_on_the_new_axes_and_not_on_the_old_ones(angle):
    points, black = arrays(points_2d.build(n=2_000, angle=angle).load().test)
    assert ((points_2d.change_axes(points, angle, 0.2)[:, 0] > 0) == black).all()
    assert ((points[:, 0] > 0) == black).mean() < 0.8


@pytest.mark.parametrize(("noise", "least", "most"), [(0.0, 0.98, 1.0), (0.1, 0.86, 0.93)])
def test_a_linear_model_learns_the_turn_up_to_the_noise(noise, least, most):
    from sklearn.linear_model import LogisticRegression

    data = points_2d.build(n=1_000, noise=noise).load()
    model = LogisticRegression(C=100).fit(*arrays(data.train))
    points, black = arrays(data.test)
    assert max(black.mean(), 1 - black.mean()) < 0.7
    assert least <= model.score(points, black) <= most
    direction = np.degrees(np.arctan2(*model.coef_[0][::-1]))
    assert direction == pytest.approx(45, abs=6)


@pytest.mark.parametrize(("source", "reported"), [("real", "real"), ("auto", "real"), ("sample", "sample")])
def test_every_source_gives_the_same_made_rows(source, reported):
    dataset = points_2d.build(source=source)
    data = dataset.load()
    assert data.source == dataset.resolve_source() == reported
    assert torch.equal(data.train.inputs["point"], points_2d.build().load().train.inputs["point"])


def test_two_numbers_are_a_row():
    dataset = points_2d.build()
    assert dataset.encode("0.5, -1").inputs["point"].tolist() == [[0.5, -1]]
    for raw in ("", "1", "1,b", "1,2,3"):
        with pytest.raises(DataError, match="expected 2 numbers with commas between them: x, y"):
            dataset.encode(raw)
    data = dataset.load()
    x, y = data.train.inputs["point"][0].tolist()
    colour = "black" if data.train.targets["colour"][0] else "white"
    assert dataset.describe(data, "train", 0) == f"{colour} at ({x:.2f}, {y:.2f})"
