"""`architecture=pretrained`: the nets of the book's section 5.3."""

from __future__ import annotations

import pytest
import torch
import yaml
from torch import nn

from dlrun.architectures import pretrained
from dlrun.compose import CONFIGS
from dlrun.contracts import DataSpec, InputSpec, TargetSpec
from dlrun.errors import ConfigError
from dlrun.graphs.summary import counts, lines, trained


def spec(size=150, divide_by=255.0, **more) -> DataSpec:
    pictures = {"image": InputSpec((size, size, 3), divide_by=divide_by)}
    return DataSpec(pictures, {"animal": TargetSpec("binary", 2)}, **more)


def build(data=None, **given) -> nn.Module:
    """weights: none, if nothing is said."""
    written = yaml.safe_load((CONFIGS / "architecture" / "pretrained.yaml").read_text(encoding="utf-8"))
    del written["name"]
    return pretrained.build(data or spec(), **{**written, "weights": "none", **given})


def on_meta(**given) -> nn.Module:
    with torch.device("meta"):
        return build(**given)


@pytest.mark.parametrize(
    ("given", "trainable", "frozen", "tensors"),
    [
        ({"trainable": True}, 16_812_353, 0, 30),  # listing 5-20 before freezing
        ({}, 2_097_665, 14_714_688, 4),  # and after
        ({"trainable_from": "block5_conv1"}, 9_177_089, 7_635_264, 10),  # listing 5-22
        ({"trainable_from": "block5_conv1", "trainable": True}, 9_177_089, 7_635_264, 10),
    ],
)
def test_counts_are_the_books(given, trainable, frozen, tensors):
    model = on_meta(**given)
    assert counts(model) == (trainable, frozen)
    assert sum(p.requires_grad for p in model.parameters()) == tensors
    assert len(trained(model)) == tensors


def test_the_layers_are_the_books():
    found = [(line.path, line.shape, line.trainable + line.frozen) for line in lines(on_meta(preprocessing="none"))]
    assert found == [
        ("image", "(None, 150, 150, 3)", 0),
        ("vgg16", "(None, 4, 4, 512)", 14_714_688),
        ("pooling", "(None, 8192)", 0),
        ("dense_1", "(None, 256)", 2_097_408),
        ("output", "(None, 1)", 257),
    ]


@pytest.mark.parametrize("backbone", ["squeezenet1_1", "mobilenet_v2"])
@pytest.mark.parametrize("pooling", ["flatten", "average", "max"])
def test_predictions_are_the_backbones_by_the_head(backbone, pooling):
    torch.manual_seed(0)
    data = spec(50)
    model = build(data, backbone=backbone, pooling=pooling, preprocessing="tf", units=[], dropout=0.5).eval()
    x = torch.rand(3, 50, 50, 3)
    maps = getattr(model, backbone)(x * 2 - 1)
    vector = {"flatten": maps.flatten(1), "average": maps.mean((1, 2)), "max": maps.amax((1, 2))}[pooling]
    expected = torch.sigmoid(vector @ model.output.kernel + model.output.bias)[:, 0]
    torch.testing.assert_close(model({"image": x})["animal"], expected, rtol=1e-4, atol=1e-5)


def test_pixels_that_are_not_divided_are_prepared_alike():
    torch.manual_seed(0)
    models = [build(spec(50, white), backbone="squeezenet1_1", preprocessing="caffe") for white in (255.0, 1.0)]
    models[1].load_state_dict(models[0].state_dict())
    x = torch.randint(256, (2, 50, 50, 3)).float()
    found = [model.eval()({"image": pixels})["animal"] for model, pixels in zip(models, (x / 255, x), strict=True)]
    torch.testing.assert_close(*found)


@pytest.mark.parametrize(("backbone", "mode"), [("vgg16", "caffe"), ("resnet50", "torch"), ("inception_v3", "tf")])
def test_auto_preprocessing_is_what_the_weights_were_learned_with(backbone, mode):
    assert on_meta(backbone=backbone).preprocessing.mode == mode


def test_augmentation_works_before_the_preprocessing_and_in_training_only():
    torch.manual_seed(0)
    model = build(spec(50), backbone="squeezenet1_1", augmentation={"horizontal_flip": True, "rotation_range": 40.0})
    assert [node.name for node in model.nodes][:3] == ["augmentation", "preprocessing", "squeezenet1_1"]
    x = {"image": torch.rand(4, 50, 50, 3)}
    assert torch.equal(model.eval()(x)["animal"], model(x)["animal"])
    assert not torch.equal(model.train()(x)["animal"], model(x)["animal"])


def refused(data=None, **given) -> str:
    with pytest.raises(ConfigError) as caught, torch.device("meta"):
        build(data, **given)
    return "; ".join(f"{p.path}: {p.message} {p.hint}" for p in caught.value.problems)


def test_wrong_arguments_are_told_by_the_familys_keys(tmp_path):
    assert "architecture.backbone: no block is called 'vgg_16' Did you mean 'vgg16'?" in refused(backbone="vgg_16")
    unknown = "architecture.trainable_from: the block has no layer 'block5' Did you mean 'block5_pool'?"
    assert unknown in refused(trainable_from="block5")
    assert "architecture.augmentation.rotation: no such argument" in refused(augmentation={"rotation": 4})
    assert "architecture.weights: no such file: w.pth" in refused(weights="w.pth", preprocessing="tf")
    torch.save({}, tmp_path / "w.pth")
    own = refused(weights=str(tmp_path / "w.pth"))
    assert "architecture.preprocessing: 'auto' is impossible" in own


@pytest.mark.parametrize("shape", [(28, 28), (3, 50, 50), (50, 50, 1), (8192,)])
def test_other_data_than_pictures_in_colour_are_refused(shape):
    data = DataSpec({"image": InputSpec(shape)}, {"animal": TargetSpec("binary", 2)})
    assert "architecture.backbone: a backbone reads exactly one input, pictures in three colours" in refused(data)


def test_pictures_that_are_too_small_are_refused():
    assert "max_pooling2d" in refused(spec(20))
