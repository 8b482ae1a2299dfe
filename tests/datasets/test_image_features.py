"""Features by a backbone: the same as within a model, kept on disk, and for what a user types."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from dlrun import registry
from dlrun.architectures import graph, pretrained
from dlrun.cli import main
from dlrun.contracts import DataSpec, InputSpec
from dlrun.datasets import image_features
from dlrun.errors import ConfigError, DataError

SHAPES = {"name": "shapes", "n": 12, "size": 50, "classes": 3}


@pytest.fixture
def weights(project) -> str:
    """A file as torchvision's, drawn here."""
    state = {}
    torch.manual_seed(0)
    spec = DataSpec({"image": InputSpec((50, 50, 3))}, image_features.build(of=SHAPES).pictures.spec.targets)
    base = graph.build(spec, layers={"base": "squeezenet1_1", "flat": "flatten", "shape": "output"}).base
    for name, tensor in base.state_dict().items():
        state["features." + name.replace("kernel", "weight")] = tensor.uniform_(-0.2, 0.3).contiguous()
    save_file(state, "w.safetensors")
    return "w.safetensors"


def build(weights, **given):
    return image_features.build(**{"of": SHAPES, "backbone": "squeezenet1_1", "weights": weights,
                                   "preprocessing": "caffe", "batch_size": 5, **given})  # fmt: skip


@pytest.mark.parametrize("pooling", ["flatten", "average", "max"])
def test_features_and_a_head_are_the_frozen_model(weights, pooling):
    dataset = build(weights, pooling=pooling)
    data = dataset.load()
    assert data.spec.inputs["features"].shape == data.train.inputs["features"].shape[1:]
    pictures = dataset.pictures.load()
    torch.manual_seed(1)
    model = pretrained.build(pictures.spec, backbone="squeezenet1_1", weights=weights, preprocessing="caffe",
                             pooling=pooling, units=[6]).eval()  # fmt: skip
    head = registry.load("architecture", "dense")(data.spec, units=[6]).eval()
    head.load_state_dict({n: t for n, t in model.state_dict().items() if not n.startswith("squeezenet")})
    for part in ("train", "test"):
        rows, there = getattr(pictures, part), getattr(data, part)
        expected = model({"image": rows.inputs["image"].float() / 255})["shape"]
        found = head({"features": there.inputs["features"]})["shape"]
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
        assert torch.equal(there.targets["shape"], rows.targets["shape"])


def files() -> set[Path]:
    return set(Path("cache/image_features").glob("*.safetensors"))


def test_features_are_computed_once_for_all_that_they_depend_on(weights, monkeypatch):
    first = build(weights).load()
    assert len(files()) == 1
    original = image_features.ImageFeatures._encoded
    monkeypatch.setattr(image_features.ImageFeatures, "_encoded", lambda self, rows: pytest.fail("computed again"))
    again = build(weights, batch_size=7).load()
    assert torch.equal(again.train.inputs["features"], first.train.inputs["features"])
    monkeypatch.setattr(image_features.ImageFeatures, "_encoded", original)
    changes = [{"pooling": "max"}, {"preprocessing": "tf"}, {"of": {**SHAPES, "n": 10}}, {"of": {**SHAPES, "size": 40}}]
    for i, change in enumerate([*changes, {"weights": "none"}], start=2):
        build(**{"weights": weights, **change}).load()
        assert len(files()) == i, change


def test_other_weights_and_other_pictures_are_another_run(weights):
    prints = {build(weights).fingerprint, build("none").fingerprint, build(weights, of={**SHAPES, "n": 9}).fingerprint}
    assert len(prints) == 3
    assert build(weights).fingerprint in prints


def test_sample_data_need_no_weights(project):
    sample = build("imagenet", source="sample")
    assert sample.resolve_source() == "sample"
    data = sample.load()
    assert data.source == "sample"
    again = build("imagenet", source="sample", of={**SHAPES, "n": 12})
    assert torch.equal(again.load().train.inputs["features"], data.train.inputs["features"])  # drawn by one seed
    with pytest.raises(DataError, match=r"weights/squeezenet1_1-b8a52dc0\.pth or weights/squeezenet1_1_features"):
        build("imagenet").load()


def test_a_picture_is_predicted_through_the_same_backbone(weights, capsys):
    words = ["dataset=image_features", f"dataset.weights={weights}", "dataset.backbone=squeezenet1_1",
             "dataset.preprocessing=caffe", "dataset.pooling=average", "architecture.units=[]", "trainer.epochs=1",
             "dataset.of={name: shapes,n: 40,size: 50,classes: 3}", "trainer.plots=false"]  # fmt: skip
    assert main(["train", *words]) == 0
    from PIL import Image

    dataset = build(weights, pooling="average", of={"name": "shapes", "n": 40, "size": 50, "classes": 3})
    picture = dataset.pictures.load().train.inputs["image"][3]
    Image.fromarray(picture.numpy()).save("one.png")
    row = dataset.encode("one.png").inputs["features"]
    np.testing.assert_allclose(row[0], dataset.load().train.inputs["features"][3], rtol=1e-4, atol=1e-5)
    capsys.readouterr()
    assert main(["predict", "run=image_features_dense", "input=one.png"]) == 0
    assert "1 prediction written" in capsys.readouterr().out
    assert "50 x 50 pixels" in dataset.describe(dataset.load(), "train", 0)


def refused(**given) -> str:
    with pytest.raises(ConfigError) as caught:
        image_features.build(**given).spec  # noqa: B018
    return "; ".join(f"{p.path}: {p.message} {p.hint}" for p in caught.value.problems)


def test_wrong_arguments_are_told_by_their_keys(project):
    assert "dataset.of: expected a dataset with a name, received None" in refused()
    assert "no dataset is called 'shape' Did you mean 'shapes'?" in refused(of={"name": "shape"})
    assert "dataset.of.sizes: no such argument" in refused(of={**SHAPES, "sizes": 3})
    assert "dataset.of.source: the source is said once" in refused(of={**SHAPES, "source": "real"})
    assert "dataset.of.path: missing" in refused(of={"name": "image_folder"})
    assert "dataset.backbone: no block is called 'resnet5'" in refused(of=SHAPES, backbone="resnet5")
    assert "dataset.backbone: a backbone reads exactly one input" in refused(of={"name": "mnist"})
    assert "dataset.weights: no such file: w.pth" in refused(of=SHAPES, weights="w.pth", preprocessing="tf")
    assert "dataset.preprocessing: 'auto' is impossible" in refused(of=SHAPES, weights=__file__)


def test_what_is_left_out_of_the_pictures_is_as_in_their_yaml(project):
    assert build("none", of={"name": "dogs_vs_cats", "size": 50}).described["test"] == [1500, 2000]
