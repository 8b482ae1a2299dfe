"""Activations against torch's own convolution, and the mosaics of the book's section 5.4.1."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from _small_nets import CONV, PLAIN, size, subject

from dlrun.errors import ConfigError
from dlrun.explaining import activations
from dlrun.explaining._layers import layers, named, overview
from dlrun.explaining._pictures import mosaic, spread
from dlrun.explaining._tracing import traced


def maps(net, names, raw="1", picture="image"):
    inputs = net.inputs(net.encode(raw))
    inputs[picture].requires_grad_()
    return inputs, *traced(net.model, inputs, picture, named(net.network, names))


def test_maps_are_what_torch_computes():
    net = subject()
    inputs, found, outputs = maps(net, "conv,pool,deep")
    conv, deep = net.network.conv, net.network.deep
    first = F.relu(F.conv2d(inputs["image"].permute(0, 3, 1, 2), conv.kernel, conv.bias))
    pooled = F.max_pool2d(first, 2)
    second = torch.tanh(F.conv2d(pooled, deep.kernel, deep.bias))
    for name, expected in (("conv", first), ("pool", pooled), ("deep", second)):
        torch.testing.assert_close(found[name], expected.permute(0, 2, 3, 1))
    torch.testing.assert_close(outputs["class"], net.model(inputs)["class"])


def test_a_net_that_is_stopped_early_gives_the_same():
    net = subject()
    inputs, found, _ = maps(net, "conv")
    early, outputs = traced(net.model, inputs, "image", named(net.network, "conv"), whole=False)
    assert torch.equal(early["conv"], found["conv"])
    assert not outputs


TOWERS = {
    "a": {"name": "sequential", "layers": {"conv": CONV}, "inputs": "left"},
    "b": {"same_as": "a", "inputs": "right"},
    "only": {**CONV, "inputs": "left"},
    "less": {"name": "subtract", "inputs": ["a", "b"]},
    "sum": {"name": "add", "inputs": ["less", "only"]},
    "flat": "flatten",
    "answer": "output",
}


@pytest.mark.parametrize("picture", ["left", "right"])
def test_a_shared_layer_gives_the_maps_of_the_picture_that_is_meant(picture):
    net = subject(TOWERS, inputs=("left", "right"))
    inputs, found, _ = maps(net, "a.conv", picture=picture)
    assert torch.equal(found["a.conv"], net.network.a.conv(inputs[picture]))


def test_a_layer_that_does_not_see_the_picture_is_refused():
    with pytest.raises(ConfigError, match="only does not see the picture 'right'"):
        maps(subject(TOWERS, inputs=("left", "right")), "only", picture="right")


def test_layers_are_named_as_in_the_table():
    net = subject(TOWERS, inputs=("left", "right"))
    assert [layer.name for layer in layers(net.network)] == ["a", "a.conv", "only", "less", "sum", "flat", "answer"]
    assert [layer.name for layer in overview(net.network)] == ["a", "only"]
    assert [layer.name for layer in named(net.network, "conv, only")] == ["a.conv", "only"]


def test_a_net_that_is_one_block_is_opened():
    base = {
        "name": "sequential",
        "layers": {"one": CONV, "drop": {"name": "dropout", "rate": 0.5}, "pool": "max_pooling2d"},
    }
    net = subject({"base": base, "flat": "flatten", "answer": "output"})
    assert [layer.name for layer in overview(net.network)] == ["base.one", "base.pool"]


BOOK = [(32, 148, 296, 2368), (32, 74, 148, 1184), (64, 72, 288, 1152), (64, 36, 144, 576), (128, 34, 272, 544),
        (128, 17, 136, 272), (128, 15, 120, 240), (128, 7, 56, 112)]  # fmt: skip
"""Channels and tile of the eight layers, height and width of their grids."""


@pytest.mark.parametrize(("channels", "tile", "height", "width"), BOOK)
def test_mosaics_have_the_books_sizes(channels, tile, height, width):
    assert mosaic(np.zeros((tile, tile, channels), np.uint8)).shape == (height, width)


def test_the_books_net_has_these_layers():
    """Section 5.4.1: eight outputs, the first (148, 148, 32)."""
    from dlrun.architectures import convnet
    from dlrun.contracts import DataSpec, InputSpec, TargetSpec

    spec = DataSpec({"image": InputSpec((150, 150, 3), divide_by=255.0)}, {"animal": TargetSpec("binary", 2)})
    with torch.device("meta"):
        net = convnet.build(spec, filters=[32, 64, 128, 128], units=[512])
    assert [(layer.shape[-1], layer.shape[0]) for layer in overview(net)] == [row[:2] for row in BOOK]


def test_channel_n_is_the_nth_tile_and_what_is_left_is_black():
    found = np.arange(1, 21, dtype=np.uint8) * np.ones((3, 5, 1), np.uint8)
    grid = mosaic(found)
    assert grid.shape == (6, 80)
    for n in range(32):
        row, column = divmod(n, 16)
        tile = grid[3 * row : 3 * row + 3, 5 * column : 5 * column + 5]
        assert (tile == (n + 1 if n < 20 else 0)).all()


def test_channels_are_spread_as_in_listing_5_31_and_blank_ones_are_dark():
    random = np.random.default_rng(0)
    maps = random.normal(3, 5, (9, 7, 4)).astype(np.float32)
    maps[..., 2] = 0.25
    before = maps.copy()
    found = spread(maps)
    for n in (0, 1, 3):
        channel = maps[..., n].astype(np.float64)
        expected = np.clip((channel - channel.mean()) / channel.std() * 64 + 128, 0, 255)
        assert np.abs(found[..., n] - expected).max() <= 1
    assert not found[..., 2].any()
    assert (maps == before).all()


def test_files_and_the_table(tmp_path):
    net = subject({**PLAIN, "deep": {**CONV, "filters": 20, "kernel_initializer": "zeros"}})
    report = activations.build(image="7").explain(net, tmp_path)
    place = tmp_path / "activations" / "7"
    assert report.files == [place / f"{name}.png" for name in ("input", "conv", "pool", "deep")]
    assert [size(file) for file in report.files] == [(16, 12), (14 * 16, 10), (7 * 16, 5), (5 * 16, 3 * 2)]
    assert [row[:3] for row in report.rows] == [["conv", 6, "10 x 14"], ["pool", 6, "5 x 7"], ["deep", 20, "3 x 5"]]
    assert report.rows[2][3] == "20 (100%)"
    with_two = activations.build(image="7", layer="conv", channels="4,0-1").explain(net, tmp_path)
    assert [file.name for file in with_two.files[1:]] == [f"conv_channel{n}.png" for n in (4, 0, 1)]
    assert {size(file) for file in with_two.files[1:]} == {(14 * 23, 10 * 23)}


@pytest.mark.parametrize("channels", ["6", "0-9", "a", "1,,x", "-1"])
def test_wrong_channels_are_told(channels, tmp_path):
    with pytest.raises(ConfigError) as caught:
        activations.build(image="7", layer="conv", channels=channels).explain(subject(), tmp_path)
    assert caught.value.problems[0].path == "channels"
    assert not list(tmp_path.iterdir())
