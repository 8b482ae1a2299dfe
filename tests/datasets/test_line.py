from __future__ import annotations

import numpy as np
import pytest
import torch

from dlrun.datasets import line
from dlrun.errors import DataError


def test_rows_agree_with_the_spec_and_are_the_same_each_time(cache):
    dataset = line.build(n=50)
    one, two = dataset.load(), line.build(n=50).load()
    for part in ("train", "test"):
        x, y = getattr(one, part).inputs["x"], getattr(one, part).targets["y"]
        assert x.shape == (dataset.spec.rows[part], *dataset.spec.inputs["x"].shape) == (50, 1)
        assert (y.shape, x.dtype, y.dtype) == ((50,), torch.float32, torch.float32)
        assert torch.equal(x, getattr(two, part).inputs["x"])
        assert torch.equal(y, getattr(two, part).targets["y"])
        assert -1 <= float(x.min()) < float(x.max()) <= 1
    assert not set(one.train.inputs["x"].ravel().tolist()) & set(one.test.inputs["x"].ravel().tolist())
    assert not cache.exists()


def test_least_squares_finds_the_line_and_leaves_the_noise():
    data = line.build(n=4_000, slope=-3.0, intercept=0.5, noise=0.2).load()
    x, y = data.train.inputs["x"][:, 0].numpy(), data.train.targets["y"].numpy()
    slope, intercept = np.polyfit(x, y, 1)
    assert (slope, intercept) == (pytest.approx(-3.0, abs=0.03), pytest.approx(0.5, abs=0.02))
    x, y = data.test.inputs["x"][:, 0].numpy(), data.test.targets["y"].numpy()
    assert np.std(y - slope * x - intercept) == pytest.approx(0.2, rel=0.05)


def test_without_noise_all_points_lie_on_the_line():
    rows = line.build(noise=0.0).load().test
    assert torch.allclose(rows.targets["y"], 2 * rows.inputs["x"][:, 0] + 1)


@pytest.mark.parametrize(("source", "reported"), [("real", "real"), ("auto", "real"), ("sample", "sample")])
def test_every_source_gives_the_same_made_rows(source, reported):
    dataset = line.build(source=source)
    data = dataset.load()
    assert data.source == dataset.resolve_source() == reported
    assert torch.equal(data.train.targets["y"], line.build().load().train.targets["y"])


def test_a_number_is_a_row():
    dataset = line.build()
    assert dataset.encode(" -0.25 ").inputs["x"].tolist() == [[-0.25]]
    for raw in ("", "a", "1,2", "inf"):
        with pytest.raises(DataError, match="expected 1 number: x"):
            dataset.encode(raw)
    data = line.build(noise=0.0, slope=0.0).load()
    assert dataset.describe(data, "test", 0) == f"y 1.00 at x {float(data.test.inputs['x'][0, 0]):.2f}"
