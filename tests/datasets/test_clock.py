from __future__ import annotations

import numpy as np
import pytest
import torch

from dlrun.datasets import _clock_face, clock
from dlrun.errors import DataError

LEVELS = ("pixels", "coordinates", "angles")


@pytest.fixture(scope="module")
def levels():
    return {level: clock.build(features=level).load() for level in LEVELS}


def test_the_figure_s_coordinates_have_the_figure_s_angles():
    coordinates = np.array([[0.7, 0.7, 0.5, 0.0], [0.0, 1.0, -0.38, 0.32]])
    assert _clock_face.angles(coordinates).round().tolist() == [[45, 0], [90, 140]]
    encoded = clock.build(features="coordinates").encode("0.7, 0.7, 0.5, 0.0")
    assert encoded.inputs["clock"].tolist() == [pytest.approx([0.7, 0.7, 0.5, 0.0])]


@pytest.mark.parametrize(
    ("hours", "tips", "angles"),
    [
        (0.0, [0, 1, 0, 0.5], [90, 90]),
        (3.0, [0, 1, 0.5, 0], [90, 0]),
        (6.5, [0, -1, 0.5 * np.cos(np.deg2rad(255)), 0.5 * np.sin(np.deg2rad(255))], [270, 255]),
        (9.25, [1, 0, 0.5 * np.cos(np.deg2rad(172.5)), 0.5 * np.sin(np.deg2rad(172.5))], [0, 172.5]),
    ],
)
def test_the_hour_hand_is_short_and_moves_with_the_minutes(hours, tips, angles):
    found = _clock_face.tips(np.array([hours]))
    assert found == pytest.approx(np.array([tips]), abs=1e-9)
    turned = (_clock_face.angles(found) - angles + 180) % 360 - 180  # 0 and 360 are one angle
    assert turned == pytest.approx(np.zeros((1, 2)), abs=1e-9)


def test_a_picture_shows_the_rim_and_both_hands():
    (picture,) = _clock_face.pixels(_clock_face.tips(np.array([3.0])))
    ink = picture > 127
    assert ink[2:16, 15:17].all(), "the long hand points up, to the rim"
    assert ink[15:17, 16:22].all(), "the short hand points right"
    assert not ink[15:17, 24:29].any(), "and ends half-way"
    assert not ink[18:24, 8:24].any()
    assert ink[:, 1:3].any()
    assert ink[:, 29:31].any(), "the rim"
    assert picture[0, 0] == 0


@pytest.mark.parametrize("level", LEVELS)
def test_rows_agree_with_the_spec_and_are_the_same_each_time(cache, levels, level):
    data = levels[level]
    again = clock.build(features=level).load()
    spec = data.spec
    for part in ("train", "test"):
        x, y = getattr(data, part).inputs["clock"], getattr(data, part).targets["hour"]
        assert x.shape == (spec.rows[part], *spec.inputs["clock"].shape)
        assert x.dtype == (torch.uint8 if level == "pixels" else torch.float32)
        assert (y.dtype, y.shape, y.unique().tolist()) == (torch.int64, (spec.rows[part],), list(range(12)))
        assert torch.equal(x, getattr(again, part).inputs["clock"])
        batch = x / spec.inputs["clock"].divide_by
        assert -1 <= float(batch.min()) < float(batch.max()) <= 1
    names = spec.inputs["clock"].names
    assert len(names) == (0 if level == "pixels" else spec.inputs["clock"].shape[0])
    both = {row.numpy().tobytes() for rows in (data.train, data.test) for row in rows.inputs["clock"]}
    assert len(both) == len(data.train) + len(data.test), "no clock is in both parts, or twice in one"
    assert not cache.exists()


def test_the_rows_are_the_same_at_the_three_levels(levels):
    hours = levels["pixels"].train.targets["hour"]
    for data in levels.values():
        assert torch.equal(data.train.targets["hour"], hours)
    coordinates = levels["coordinates"].train.inputs["clock"].double().numpy()
    angles = levels["angles"].train.inputs["clock"].numpy()
    apart = np.abs(_clock_face.angles(coordinates) - angles)
    assert np.minimum(apart, 360 - apart).max() < 1e-3
    drawn = torch.from_numpy(_clock_face.pixels(coordinates)).short()
    assert int((drawn - levels["pixels"].train.inputs["clock"].short()).abs().max()) <= 1


def test_angles_need_no_learner(levels):
    """The book's point: with angles, rounding and a lookup are enough."""
    rows = levels["angles"].test
    clockwise = (90 - rows.inputs["clock"][:, 1]) % 360
    assert ((clockwise / 30).long() == rows.targets["hour"]).float().mean() > 0.998


@pytest.mark.parametrize(
    ("level", "strength"), [pytest.param("pixels", 1, marks=pytest.mark.slow), ("coordinates", 1e4), ("angles", 1e4)]
)
def test_a_linear_model_reads_most_clocks(levels, level, strength):
    from sklearn.linear_model import LogisticRegression

    train, test = levels[level].train, levels[level].test
    divisor = levels[level].spec.inputs["clock"].divide_by
    x, x_test = (rows.inputs["clock"].flatten(1).numpy() / divisor for rows in (train, test))
    y, y_test = train.targets["hour"].numpy(), test.targets["hour"].numpy()
    assert max(np.bincount(y_test)) / len(y_test) < 0.12
    assert LogisticRegression(C=strength, max_iter=2_000).fit(x, y).score(x_test, y_test) > 0.9


@pytest.mark.parametrize("level", LEVELS)
def test_a_time_is_a_row(levels, level):
    dataset = clock.build(features=level)
    row = dataset.encode("10:20").inputs["clock"]
    assert row.shape == (1, *dataset.spec.inputs["clock"].shape)
    assert row.dtype == levels[level].train.inputs["clock"].dtype
    assert torch.equal(dataset.encode(" 12:07").inputs["clock"], dataset.encode("0:07").inputs["clock"])
    for raw in ("", "13:00", "10:60", "10:5", "noon", "1,2,3"):
        with pytest.raises(DataError, match="expected"):
            dataset.encode(raw)
    label, time = dataset.describe(levels[level], "test", 4).split(" ")
    assert label == clock.LABELS[int(levels[level].test.targets["hour"][4])]
    assert time.startswith(f"({label}:")


@pytest.mark.parametrize(("source", "reported"), [("real", "real"), ("auto", "real"), ("sample", "sample")])
def test_every_source_gives_the_same_made_rows(source, reported, levels):
    dataset = clock.build(features="angles", source=source)
    data = dataset.load()
    assert data.source == dataset.resolve_source() == reported
    assert torch.equal(data.train.inputs["clock"], levels["angles"].train.inputs["clock"])
