"""Gradient ascent on pictures (book section 5.4.2)."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from _small_nets import CONV, PLAIN, size, subject
from PIL import Image

from dlrun.errors import ConfigError
from dlrun.explaining import filters
from dlrun.explaining._layers import first_of_each_size
from dlrun.explaining.filters import grid, normalized, visible

LINEAR = {**PLAIN, "conv": {**CONV, "activation": "linear"}}


def test_one_step_is_the_normalised_gradient(monkeypatch):
    """Of a linear filter: the mean answer's gradient is known, and each step raises it by the same."""
    net = subject(LINEAR)
    (layer,) = [one for one in first_of_each_size(net.network) if one.name == "conv"]
    method = filters.build(steps=3, step_size=2.0)
    patterns, before, after = method._ascend(net, "image", layer, [0, 5], (12, 16))
    for i, n in enumerate((0, 5)):
        picture = method._start(net, "image", [n], (12, 16)).requires_grad_()
        answer = net.network.conv(picture / 255)[..., n].mean()
        (gradient,) = torch.autograd.grad(answer, picture)
        step = gradient / (gradient.square().mean().sqrt() + 1e-5)
        torch.testing.assert_close(torch.from_numpy(patterns[i]).float(), (picture + 3 * 2.0 * step).detach()[0])
        torch.testing.assert_close(before[i], answer.detach())
        torch.testing.assert_close(after[i] - before[i], 6 * (gradient * step).sum(), rtol=1e-3, atol=1e-5)


def test_the_ascent_raises_every_filter_that_is_awake():
    net = subject({**PLAIN, "conv": {**CONV, "activation": "tanh"}, "deep": {**CONV, "activation": "sigmoid"}})
    for layer in first_of_each_size(net.network):
        _, before, after = filters.build()._ascend(net, "image", layer, list(range(6)), (20, 20))
        assert (after > before).all()


def test_normalised_gradients_have_a_mean_square_of_1():
    found = normalized(torch.randn(3, 8, 9, 3) * torch.tensor([0.1, 1.0, 50.0]).view(3, 1, 1, 1))
    torch.testing.assert_close(found.square().mean((1, 2, 3)), torch.ones(3), rtol=1e-3, atol=0)
    assert not normalized(torch.zeros(1, 4, 4, 3)).any()


def test_noise_is_the_books_and_a_filters_own():
    net, method = subject(), filters.build()
    first = method._start(net, "image", [0, 1], (30, 30))
    assert first.shape == (2, 30, 30, 3)
    assert first.min() >= 128
    assert first.max() < 148
    assert abs(first.mean() - 138) < 0.5
    assert not torch.equal(first[0], first[1])
    assert torch.equal(method._start(net, "image", [1], (30, 30))[0], first[1])
    assert not torch.equal(filters.build(seed=1)._start(net, "image", [1], (30, 30))[0], first[1])


def test_a_pattern_becomes_visible_as_in_listing_5_37():
    pattern = np.random.default_rng(0).normal(300, 7, (64, 64, 3))
    found = visible(pattern)
    assert found.dtype == np.uint8
    assert found.mean() == pytest.approx(127, abs=0.6)
    assert found.std() == pytest.approx(25.5, abs=0.3)
    assert (visible(np.full((4, 4, 1), 9.0)) == 127).all()
    assert visible(np.ones((4, 4, 1))).shape == (4, 4, 3)


@pytest.mark.parametrize(("tile", "side"), [(64, 547), (28, 259)])
def test_filter_i_plus_8j_is_in_row_i_and_column_j(tile, side):
    found = grid([np.full((tile, tile, 3), n + 1, np.uint8) for n in range(60)])
    assert found.shape == (side, side, 3)
    for i in range(8):
        for j in range(8):
            there = found[i * (tile + 5) : i * (tile + 5) + tile, j * (tile + 5) : j * (tile + 5) + tile]
            assert (there == (i + 8 * j + 1 if i + 8 * j < 60 else 0)).all()
    assert not found[tile : tile + 5].any()


def test_files_and_the_table(tmp_path):
    report = filters.build(steps=2).explain(subject(), tmp_path)
    assert [file.name for file in report.files] == ["conv.png", "deep.png"]
    assert {size(file) for file in report.files} == {(547, 547)}
    assert [row[:3] for row in report.rows] == [["conv", 6, "64 x 64"], ["deep", 20, "64 x 64"]]
    single = filters.build(steps=2, layer="deep", channels="0,3").explain(subject(), tmp_path)
    assert [file.name for file in single.files] == ["deep_filter0.png", "deep_filter3.png"]
    assert {size(file) for file in single.files} == {(150, 150)}


def test_a_filter_alone_is_that_of_the_grid(tmp_path):
    filters.build(steps=3, layer="conv").explain(subject(), tmp_path)
    filters.build(steps=3, layer="conv", channels="5", size=64).explain(subject(), tmp_path)
    whole, alone = (np.asarray(Image.open(tmp_path / "filters" / f)) for f in ("conv.png", "conv_filter5.png"))
    assert np.abs(whole[5 * 69 : 5 * 69 + 64, :64].astype(int) - alone).max() <= 1


GREY = {"shaped": {"name": "reshape", "target_shape": [12, 16, 1]}, **PLAIN}


def test_a_net_that_reads_one_size_only_gets_it(tmp_path):
    net = subject(GREY, shape=(12, 16))
    report = filters.build(steps=1, layer="conv").explain(net, tmp_path)
    assert report.rows[0][2] == "12 x 16"
    assert size(report.files[0]) == (8 * 16 + 35, 8 * 12 + 35)
    with pytest.raises(ConfigError, match="can't be reached from pictures of 64 x 64") as caught:
        filters.build(steps=1, layer="conv", size=64).explain(net, tmp_path)
    assert caught.value.problems[0].hint == "the net was made for 12 x 16"


def test_a_filter_asleep_stays_and_is_told(tmp_path):
    asleep = {**PLAIN, "conv": {**CONV, "kernel_initializer": "zeros"}}
    report = filters.build(steps=2, layer="conv").explain(subject(asleep), tmp_path)
    assert report.rows[0][5] == "0 of 6"
    assert "stays grey" in report.remarks[0]
    assert not filters.build(steps=2, layer="conv").explain(subject(LINEAR), tmp_path).remarks


def test_the_first_convolution_of_each_size_is_the_books_choice():
    from dlrun.graphs.blocks import Library
    from dlrun.graphs.building import Graph
    from dlrun.graphs.nodes import read
    from dlrun.layers._spec import TensorSpec

    with torch.device("meta"):
        nodes = read({"base": "vgg16"}, ["x"], "p", [])
        network, _ = Graph(Library({}, ""), "p", []).build(nodes, {"x": TensorSpec((224, 224, 3))}, ["base"])
    assert [one.name for one in first_of_each_size(network.base)] == [f"block{b}_conv1" for b in range(1, 6)]
    from dlrun.explaining._layers import last

    assert last(network.base).name == "block5_conv3"
    assert last(network.base).shape == (14, 14, 512)
