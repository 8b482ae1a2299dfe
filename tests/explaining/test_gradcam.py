"""Grad-CAM against other ways of computing it (book section 5.4.3)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from _small_nets import CONV, PLAIN, size, subject
from test_activations import TOWERS, maps

from dlrun.contracts import TargetSpec
from dlrun.errors import ConfigError
from dlrun.explaining import _classes, gradcam
from dlrun.explaining._layers import last
from dlrun.explaining._pictures import coloured, overlaid, resized
from dlrun.explaining.gradcam import heatmap


def found(net, layer="deep", raw="1"):
    _, traced, outputs = maps(net, layer, raw)
    return traced[layer], _classes.classes("class", net.spec.targets["class"], outputs)


@pytest.mark.parametrize("index", range(4))
def test_before_a_mean_and_a_dense_layer_it_is_the_class_activation_map(index):
    """There the gradient of a logit is its kernel over the number of places (Selvaraju et al. 2017, section 3.1)."""
    net = subject()
    deep, classes = found(net)
    weights = net.network.answer.kernel[:, index]
    expected = (deep[0] @ weights).clamp(min=0)
    torch.testing.assert_close(
        torch.from_numpy(heatmap(deep, classes[index].logit)).float(),
        (expected / expected.max().clamp(min=1e-12)).detach(),
    )


def test_the_probabilitys_gradient_by_differences():
    """Each map moved a little as a whole: the change of the probability, over the number of places, is its weight."""
    net = subject()
    deep, classes = found(net)
    height, width, channels = deep.shape[1:]

    def probability(shift):
        logits = (deep.detach().double() + shift).mean(
            (1, 2)
        ) @ net.network.answer.kernel.double() + net.network.answer.bias
        return logits.softmax(-1)[0, 2]

    steps = torch.eye(channels, dtype=torch.float64) * 1e-5
    weights = torch.stack([(probability(s) - probability(-s)) / 2e-5 for s in steps]) / (height * width)
    expected = (deep.detach()[0].double() * weights).mean(-1).clamp(min=0)
    assert np.abs(heatmap(deep, classes[2].probability) - (expected / expected.max()).numpy()).max() < 1e-5


def test_it_is_from_0_to_1():
    deep, classes = found(subject())
    heat = heatmap(deep, classes[0].probability)
    assert heat.shape == (3, 5)
    assert heat.max() == 1
    assert heat.min() >= 0


def test_nothing_that_speaks_for_a_class_is_an_empty_heatmap():
    net = subject({**PLAIN, "deep": {**CONV, "kernel_initializer": "zeros"}})
    deep, classes = found(net)
    assert not heatmap(deep, classes[0].probability).any()


def test_of_two_classes_each_has_its_own():
    net = subject(target=TargetSpec("binary", 2, labels=("cat", "dog")))
    deep, (cat, dog) = found(net)
    assert cat.value + dog.value == pytest.approx(1)
    weights = net.network.answer.kernel[:, 0]
    for one, sign in ((dog, 1), (cat, -1)):
        expected = (deep[0] @ (sign * weights)).clamp(min=0).detach()
        for score in (one.logit, one.probability):
            _, traced, outputs = maps(net, "deep")
            again = _classes.classes("class", net.spec.targets["class"], outputs)[one.index]
            score = again.logit if score is one.logit else again.probability
            heat = torch.from_numpy(heatmap(traced["deep"], score)).float()
            torch.testing.assert_close(heat, expected / expected.max().clamp(min=1e-12))


@pytest.mark.parametrize(
    ("target", "names"),
    [
        (TargetSpec("multilabel", 3, labels=("a", "b", "c")), ["a", "b", "c"]),
        (TargetSpec("regression"), ["class"]),
        (TargetSpec("regression", shape=(2,)), ["class[0]", "class[1]"]),
        (TargetSpec("multiclass", 5), list("01234")),
    ],
)
def test_every_kind_of_target_has_something_to_look_for(target, names, tmp_path):
    net = subject(target=target)
    assert [one.name for one in found(net)[1]] == names
    report = gradcam.build(image="1", top=2).explain(net, tmp_path)
    assert len(report.rows) == min(2, len(names))
    assert float(report.rows[0][2]) == max(float(row[2]) for row in report.rows)


def test_a_class_is_named_by_name_or_index():
    classes = found(subject())[1]
    assert _classes.chosen(classes, "dog").index == 1
    assert _classes.chosen(classes, "Red_Crane").index == 2
    assert _classes.chosen(classes, "3").index == 3
    assert _classes.chosen(classes, "").value == max(one.value for one in classes)
    digits = [replace(one, name=str(9 - one.index)) for one in classes]
    assert _classes.chosen(digits, "9").index == 0  # a name before an index
    with pytest.raises(ConfigError, match="no class is called 'dgo'") as caught:
        _classes.chosen(classes, "dgo")
    assert "Did you mean 'dog'?" in caught.value.problems[0].hint
    with pytest.raises(ConfigError, match="no class 4"):
        _classes.chosen(classes, "4")
    with pytest.raises(ConfigError, match="2 classes are called 'same'"):
        _classes.chosen([replace(one, name="same") for one in classes[:2]], "same")


def test_the_last_convolution_goes_on_to_its_activation():
    bare = {**CONV, "activation": "linear", "padding": "same"}
    steps = {"one": CONV, "two": bare, "norm": "batch_normalization", "sum": {"name": "add", "inputs": ["norm", "one"]},
             "act": "relu", "pool": "max_pooling2d", "flat": "flatten", "answer": "output"}  # fmt: skip
    assert last(subject(steps).network).name == "act"
    assert last(subject().network).name == "deep"
    with pytest.raises(ConfigError, match="no convolutions"):
        last(subject({"flat": "flatten", "answer": "output"}).network)


def test_an_overlay_is_the_picture_and_0_4_of_the_colours_cut_at_white():
    random = np.random.default_rng(0)
    picture = random.integers(0, 256, (50, 70, 3), dtype=np.uint8)
    heat = random.random((3, 5))
    found = overlaid(picture, heat)
    assert found.shape == picture.shape
    assert found.dtype == np.uint8
    jet = coloured(np.uint8(255 * resized(heat, 50, 70).clip(0, 1)), "jet").astype(np.float64)
    expected = np.minimum(jet * 0.4 + picture, 255)
    assert np.abs(found - expected).max() < 1
    assert (found == 255).any()
    assert coloured(np.array([[0, 255]], np.uint8), "jet").tolist() == [[[0, 0, 127], [127, 0, 0]]]  # blue, red: RGB


def test_files_and_the_table(tmp_path):
    report = gradcam.build(image="3", class_="red crane").explain(subject(), tmp_path)
    place = tmp_path / "gradcam" / "3"
    assert report.files == [place / "red_crane_heatmap.png", place / "red_crane_overlay.png"]
    assert [size(file) for file in report.files] == [(5 * 75, 3 * 75), (16 * 19, 12 * 19)]
    assert {row[0] for row in report.rows} == {"cat", "dog", "red crane", "crane"}
    assert sum(float(row[2]) for row in report.rows) == pytest.approx(1, abs=1e-5)
    assert report.remarks == ["heatmap of red crane (class 2) in deep, 20 maps of 3 x 5"]


def test_of_several_pictures_one_must_be_named(tmp_path):
    net = subject(TOWERS, inputs=("left", "right"))
    with pytest.raises(ConfigError) as caught:
        gradcam.build(image="1").explain(net, tmp_path)
    assert caught.value.problems[0].hint == "available: left, right"
    with pytest.raises(ConfigError, match="no picture 'rihgt'"):
        gradcam.build(image="1", input="rihgt").explain(net, tmp_path)
    with pytest.raises(ConfigError, match="only does not see the picture 'right'"):
        gradcam.build(image="1", input="right", layer="only").explain(net, tmp_path)
    assert gradcam.build(image="1", input="right", layer="a").explain(net, tmp_path).files


def test_a_probability_near_1_is_given_as_the_reason(tmp_path):
    net = subject()
    net.network.answer.bias.copy_(torch.tensor([200.0, 0, 0, 0]))
    report = gradcam.build(image="1").explain(net, tmp_path)
    assert report.remarks[1].endswith("try score=logit")
    assert len(gradcam.build(image="1", score="logit").explain(net, tmp_path).remarks) <= 2
