from __future__ import annotations

import pytest
import torch

from dlrun.architectures import convnet
from dlrun.contracts import DataSpec, InputSpec, TargetSpec
from dlrun.errors import ConfigError
from dlrun.graphs import summary

DIGITS = DataSpec({"image": InputSpec((28, 28))}, {"digit": TargetSpec("multiclass", 10)})
PETS = DataSpec({"image": InputSpec((150, 150, 3))}, {"pet": TargetSpec("binary", 2)})
SMALL = DataSpec({"image": InputSpec((13, 12, 3))}, {"pet": TargetSpec("binary", 2)})

MNIST = {"filters": [32, 64, 64], "units": [64]}
DOGS_VS_CATS = {"filters": [32, 64, 128, 128], "units": [512]}


def made(spec, **arguments):
    with torch.device("meta"):
        return convnet.build(spec, **arguments)


def table(model):
    """The book's summary: kind of layer, its shape without the batch axis, its parameters."""
    lines = list(summary.lines(model, False))
    return [(line.kind, line.shape.removeprefix("(None, "), line.trainable) for line in lines if line.kind != "input"]


def test_the_first_convnet_of_the_book_layer_by_layer():
    """Listings 5-1 and 5-2."""
    assert table(made(DIGITS, pooling=["max", "max", "none"], **MNIST)) == [
        ("reshape", "28, 28, 1)", 0),
        ("conv2d", "26, 26, 32)", 320),
        ("max_pooling2d", "13, 13, 32)", 0),
        ("conv2d", "11, 11, 64)", 18_496),
        ("max_pooling2d", "5, 5, 64)", 0),
        ("conv2d", "3, 3, 64)", 36_928),
        ("flatten", "576)", 0),
        ("dense", "64)", 36_928),
        ("dense", "10)", 650),
    ]


def test_dogs_vs_cats_layer_by_layer():
    """Listing 5-5."""
    assert table(made(PETS, **DOGS_VS_CATS)) == [
        ("conv2d", "148, 148, 32)", 896),
        ("max_pooling2d", "74, 74, 32)", 0),
        ("conv2d", "72, 72, 64)", 18_496),
        ("max_pooling2d", "36, 36, 64)", 0),
        ("conv2d", "34, 34, 128)", 73_856),
        ("max_pooling2d", "17, 17, 128)", 0),
        ("conv2d", "15, 15, 128)", 147_584),
        ("max_pooling2d", "7, 7, 128)", 0),
        ("flatten", "6272)", 0),
        ("dense", "512)", 3_211_776),
        ("dense", "1)", 513),
    ]


@pytest.mark.parametrize(
    ("spec", "arguments", "parameters"),
    [
        (DIGITS, {"pooling": ["max", "max", "none"], **MNIST}, 93_322),
        (DIGITS, {"pooling": ["average", "average", "none"], **MNIST}, 93_322),
        (DIGITS, {"pooling": "none", **MNIST}, 2_038_922),
        (DIGITS, {"pooling": "none", "filters": [32, 64, 64], "units": [512]}, 15_921_098),
        (PETS, DOGS_VS_CATS, 3_453_121),
        (PETS, {"head_dropout": 0.5, **DOGS_VS_CATS}, 3_453_121),
    ],
)
def test_parameters_as_in_the_book(spec, arguments, parameters):
    assert sum(summary.counts(made(spec, **arguments))) == parameters


@pytest.mark.parametrize("pooling", ["max", "average", "none"])
def test_pooling_has_no_parameters(pooling):
    """The base of 5.1.2, with and without."""
    body = [
        row for row in table(made(DIGITS, pooling=pooling, **MNIST)) if row[0].startswith(("conv", "max", "average"))
    ]
    assert sum(parameters for *_, parameters in body) == 55_744


def test_three_convolutions_without_pooling_see_seven_places():
    """5.1.2: a place of the third map depends on 7 x 7 pixels."""
    model = convnet.build(DIGITS, pooling="none", **MNIST).double()
    seen = torch.zeros(28, 28, dtype=torch.bool)
    for _ in range(4):  # a pixel may meet units that give nothing
        picture = torch.randn(1, 28, 28, dtype=torch.float64, requires_grad=True)
        x = model.reshape_1(picture)
        for layer in (model.conv2d_1, model.conv2d_2, model.conv2d_3):
            x = layer(x)
        x[0, 10, 12].sum().backward()
        seen |= picture.grad[0] != 0
    rows, columns = seen.nonzero(as_tuple=True)
    assert (rows.unique().tolist(), columns.unique().tolist()) == (list(range(10, 17)), list(range(12, 19)))


def test_every_argument_has_its_place():
    model = convnet.build(
        SMALL,
        filters=[2, 3],
        kernel_size=[3, 1],
        padding="same",
        pooling=["strided", "average"],
        pool_size=[2, 3],
        batch_normalization=True,
        dropout=[0.0, 0.1],
        units=[6, 5],
        head_dropout=[0.2, 0.0],
        activation="elu",
    )
    assert [(kind, shape) for kind, shape, _ in table(model)] == [
        ("conv2d", "7, 6, 2)"),
        ("batch_normalization", "7, 6, 2)"),
        ("conv2d", "7, 6, 3)"),
        ("batch_normalization", "7, 6, 3)"),
        ("average_pooling2d", "2, 2, 3)"),
        ("dropout", "2, 2, 3)"),
        ("flatten", "12)"),
        ("dropout", "12)"),
        ("dense", "6)"),
        ("dense", "5)"),
        ("dense", "1)"),
    ]
    assert (model.dropout_1.rate, model.dropout_2.rate) == (0.1, 0.2)
    assert model.conv2d_1.activation == model.dense_2.activation == "elu"
    outputs = model({"image": torch.randn(4, 13, 12, 3)})
    assert outputs["pet"].shape == (4,)
    assert model.output_activations == {"pet": "sigmoid"}


def test_every_problem_is_reported_at_once():
    tokens = DataSpec({"text": InputSpec((9,))}, {"pet": TargetSpec("binary", 2)})
    with pytest.raises(ConfigError) as caught:
        made(tokens, filters=[4, 4], pooling=["max"], dropout=[0.1] * 3, units=[8], head_dropout=[0.1, 0.2])
    problems = {p.path: p.message for p in caught.value.problems}
    assert list(problems) == ["architecture." + key for key in ("pooling", "dropout", "head_dropout", "name")]
    assert "expected one value or 2, one for each of filters; got 3" in problems["architecture.dropout"]
    assert "expected one value or 1, one for each of units; got 2" in problems["architecture.head_dropout"]
    assert "(height, width, channels); the data have text (9,)" in problems["architecture.name"]


def test_too_many_blocks_for_the_picture():
    with pytest.raises(ConfigError) as caught:
        made(SMALL, filters=[4, 4, 4], units=[8])
    (problem,) = caught.value.problems
    assert problem.path == "architecture"
    assert problem.message == "conv2d_3: layer conv2d expects at least 3 x 3 places, received 1 x 1"


def test_augmentation_comes_first_and_only_in_training():
    model = convnet.build(DIGITS, augmentation={"rotation_range": 40.0, "horizontal_flip": True}, **MNIST)
    assert [kind for kind, *_ in table(model)][:3] == ["reshape", "image_augmentation", "conv2d"]
    assert model.image_augmentation_1.rotation_range == 40.0
    pictures = {"image": torch.rand(3, 28, 28)}
    assert not torch.equal(model(pictures)["digit"], model(pictures)["digit"])
    model.eval()
    assert torch.equal(model(pictures)["digit"], model(pictures)["digit"])


def test_what_is_wrong_with_the_augmentation_is_told_with_the_rest():
    with pytest.raises(ConfigError) as caught:
        made(PETS, filters=[4], pooling=["max"] * 2, units=[8], augmentation={"rotation": 40, "cval": "black"})
    problems = {p.path: p.hint for p in caught.value.problems}
    assert set(problems) == {"architecture." + key for key in ("pooling", "augmentation.rotation", "augmentation.cval")}
    assert "rotation_range" in problems["architecture.augmentation.rotation"]
    with pytest.raises(ConfigError, match="image_augmentation_1: layer image_augmentation expects zoom_range"):
        made(PETS, filters=[4], units=[8], augmentation={"zoom_range": [1.2, 0.8]})
