"""The blocks of the catalogue: sizes and parameters of the book."""

from __future__ import annotations

import pytest
import torch

from dlrun import registry
from dlrun.architectures import graph
from dlrun.contracts import DataSpec, InputSpec, TargetSpec
from dlrun.errors import ConfigError

CASES = {
    "inception": ({}, (28, 28, 256), (14, 14, 512), 32_896 + 180_480 + 295_040 + 328_064),
    "residual_identity": ({}, (10, 10, 128), (10, 10, 128), 442_752),
    "residual_linear": ({}, (28, 28, 128), (14, 14, 128), 2 * 147_584 + 16_512),
    "separable": ({"filters_1": 32, "filters_2": 64}, (64, 64, 3), (30, 30, 64), 155 + 2_400),
    "wide_and_deep": ({"units": 2}, (100,), (2,), 200 + 3_232 + 1_056 + 66),
    "conv_bn_relu": ({"filters": 8}, (5, 5, 3), (5, 5, 8), 216 + 16),
    "conv_bn_relu6": ({"filters": 8}, (5, 5, 3), (5, 5, 8), 24 + 16),
    "depthwise_bn_relu6": ({}, (5, 5, 3), (5, 5, 3), 27 + 6),
    "linear_shortcut": ({"filters": 8}, (5, 5, 3), (3, 3, 8), 24 + 16),
    "sequential": ({"layers": {"a": {"name": "dense", "units": 4}, "b": "relu"}}, (5,), (4,), 24),
    "fire": ({"squeezed": 2, "expanded": 4}, (5, 5, 3), (5, 5, 8), 8 + 12 + 76),
    "bottleneck_unexpanded": ({"filters": 4}, (5, 5, 3), (5, 5, 4), 27 + 6 + 12 + 8),
    "resnet_bottleneck": ({"filters": 2, "channels": 8}, (5, 5, 8), (5, 5, 8), 16 + 4 + 36 + 4 + 16 + 16),
    "resnet_bottleneck_down": ({"filters": 2, "channels": 8}, (5, 5, 3), (3, 3, 8), 6 + 4 + 36 + 4 + 16 + 16 + 24 + 16),
    "inception_v3_a": ({"pooled": 32}, (5, 5, 192), (5, 5, 256), 255_904),
    "inception_v3_b": ({}, (5, 5, 288), (2, 2, 768), 1_153_280),
    "inception_v3_c": ({"filters": 128}, (5, 5, 768), (5, 5, 768), 1_297_408),
    "inception_v3_d": ({}, (5, 5, 768), (2, 2, 1280), 1_698_304),
    "inception_v3_e": ({}, (5, 5, 1280), (5, 5, 2048), 5_044_608),
    "vgg16": ({}, (40, 40, 3), (1, 1, 512), 14_714_688),
    "vgg19": ({}, (40, 40, 3), (1, 1, 512), 20_024_384),
    "squeezenet1_1": ({}, (40, 40, 3), (2, 2, 512), 722_496),
    "mobilenet_v2": ({}, (40, 40, 3), (2, 2, 1280), 2_223_872),
    "resnet50": ({}, (40, 40, 3), (2, 2, 2048), 23_508_032),
    "inception_v3": ({}, (75, 75, 3), (1, 1, 2048), 21_785_568),
    "basic_block": ({"filters": 4}, (5, 5, 4), (5, 5, 4), 2 * (144 + 8)),
    "basic_block_down": ({"filters": 8}, (5, 5, 4), (3, 3, 8), 288 + 576 + 32 + 32 + 16),
    "inverted_bottleneck": ({"filters": 4, "expanded": 12}, (5, 5, 2), (5, 5, 4), 24 + 24 + 108 + 24 + 48 + 8),
    "inverted_bottleneck_down": ({"filters": 4, "expanded": 12}, (5, 5, 2), (3, 3, 4), 24 + 24 + 108 + 24 + 48 + 8),
    "inverted_residual": ({"filters": 2, "expanded": 12}, (5, 5, 2), (5, 5, 2), 24 + 24 + 108 + 24 + 24 + 4),
    "xception": ({}, (64, 64, 3), (2, 2, 2048), 20_861_480 - 54_528),
    "xception_convolution": ({"filters": 4}, (5, 5, 2), (3, 3, 4), 72 + 8),
    "xception_separable": ({"filters": 4}, (5, 5, 2), (5, 5, 4), 18 + 8 + 8),
    "xception_middle": ({"filters": 4}, (5, 5, 4), (5, 5, 4), 3 * (36 + 16 + 8)),
    "xception_narrowing": ({"first": 4, "filters": 6}, (6, 6, 2), (3, 3, 6), 18 + 8 + 8 + 36 + 24 + 12 + 12 + 12),
}
"""Arguments, shape in, shape out, parameters that train."""


def build(layers, shape, out):
    """A graph with the block's output as its prediction."""
    spec = DataSpec({"given": InputSpec(shape)}, {"y": TargetSpec("regression", shape=out)})
    return graph.build(spec, layers=layers)


def test_every_block_has_a_case():
    assert sorted(CASES) == sorted(registry.blocks())


@pytest.mark.parametrize("name", CASES)
def test_shape_and_parameters(name):
    arguments, shape, out, parameters = CASES[name]
    model = build([{"name": name, **arguments}], shape, out)
    assert sum(p.numel() for p in model.parameters()) == parameters
    assert model({"given": torch.randn(2, *shape)})["y"].shape == (2, *out)


@pytest.mark.parametrize("size", [5, 6, 7, 28, 33])
def test_the_branches_of_inception_have_one_size(size):
    """Erratum E4: by the padding that the book prints they never have."""
    half = -(-size // 2)
    build([{"name": "inception", "filters": 2}], (size, size, 3), (half, half, 8))


def test_a_linear_shortcut_is_for_even_sizes():
    with pytest.raises(ConfigError) as caught:
        build([{"name": "residual_linear", "filters": 4}], (29, 29, 3), (14, 14, 4))
    assert "(14, 14, 4)" in str(caught.value)
    assert "(15, 15, 4)" in str(caught.value)


def test_residual_blocks_are_their_parts_and_the_shortcut():
    model = build([{"name": "residual_identity", "filters": 4}], (6, 6, 4), (6, 6, 4)).double()
    x = torch.randn(2, 6, 6, 4, dtype=torch.float64)
    block = next(iter(model.children()))
    torch.testing.assert_close(model({"given": x})["y"], block.conv_3(block.conv_2(block.conv_1(x))) + x)


def test_wide_and_deep_is_the_sum_of_both():
    model = build([{"name": "wide_and_deep", "units": 2}], (7,), (2,)).double()
    x = torch.randn(5, 7, dtype=torch.float64)
    block = next(iter(model.children()))
    torch.testing.assert_close(model({"given": x})["y"], block.wide(x) + block.deep(block.deep_2(block.deep_1(x))))
    block.deep.kernel.data.zero_()
    torch.testing.assert_close(model({"given": x})["y"], x @ block.wide.kernel + block.deep.bias)
