"""Pretrained blocks against torchvision's nets, by files in each layout that there is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from _backbones import PARAMETERS, features, model, theirs
from safetensors.torch import save_file

from dlrun.errors import ConfigError

SIZES = {"inception_v3": 99, "squeezenet1_1": 50}
SLOW = ["vgg19", "resnet50", "inception_v3"]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in PARAMETERS]
)
def test_parameters_and_outputs_are_torchvisions(name, tmp_path):
    """By a file as torchvision's is, its dense layers included."""
    torch.manual_seed(0)
    other, size = theirs(name), SIZES.get(name, 40)
    torch.save(other.state_dict(), tmp_path / "their.pth")
    ours = model(name, size, weights=str(tmp_path / "their.pth")).base.double().eval()
    assert sum(p.numel() for p in ours.parameters()) == PARAMETERS[name]
    x = torch.randn(2, size + 1, size, 3, dtype=torch.float64)
    with torch.no_grad():
        expected = features(other.double().eval(), x)
        assert expected.abs().max() > 0.01
        torch.testing.assert_close(ours(x), expected, rtol=1e-10, atol=1e-10)


def test_vgg16_is_the_books():
    """Listing 5-16 and the table of 5.3.1: shapes and parameters of each layer."""
    from dlrun.graphs.summary import lines

    with torch.device("meta"):
        table = {line.path: line for line in lines(model("vgg16", 150), nested=True)}
    sizes = {name.removeprefix("base."): (line.shape, line.trainable) for name, line in table.items()}
    assert sizes["block1_conv1"] == ("(None, 150, 150, 64)", 1_792)
    assert sizes["block1_conv2"] == ("(None, 150, 150, 64)", 36_928)
    assert sizes["block2_conv1"] == ("(None, 75, 75, 128)", 73_856)
    assert sizes["block2_conv2"] == ("(None, 75, 75, 128)", 147_584)
    assert sizes["block3_conv1"] == ("(None, 37, 37, 256)", 295_168)
    assert sizes["block3_conv3"] == ("(None, 37, 37, 256)", 590_080)
    assert sizes["block4_conv1"] == ("(None, 18, 18, 512)", 1_180_160)
    assert sizes["block5_conv3"] == ("(None, 9, 9, 512)", 2_359_808)
    assert sizes["block5_pool"] == ("(None, 4, 4, 512)", 0)
    assert table["base"].trainable == PARAMETERS["vgg16"]


@pytest.fixture(scope="module")
def vgg():
    torch.manual_seed(0)
    return theirs("vgg16").state_dict()


@pytest.fixture(scope="module")
def expected(vgg):
    """Ours by name."""
    layers = [f"block{b}_conv{c}" for b, n in enumerate((2, 2, 3, 3, 3), 1) for c in range(1, n + 1)]
    numbers = sorted({int(name.split(".")[1]) for name in vgg if name.startswith("features")})
    pairs = list(zip(layers, numbers, strict=True))
    return {f"{layer}.kernel": vgg[f"features.{n}.weight"] for layer, n in pairs} | {
        f"{layer}.bias": vgg[f"features.{n}.bias"] for layer, n in pairs
    }


def keras(path, weights, flat=False):
    """As `save_weights` of Keras 2 wrote VGG16 without its top; flat: as Keras 1 did, and VGG16's own file has it."""
    import h5py

    with h5py.File(path, "w") as file:
        layers = dict.fromkeys(name.partition(".")[0] for name in weights)
        file.attrs["layer_names"] = [layer.encode() for layer in ["input_1", *layers]]
        file.create_group("input_1")
        for layer in layers:
            group = file.create_group(layer)
            names = [f"{layer}_W_1:0", f"{layer}_b_1:0"] if flat else [f"{layer}/kernel:0", f"{layer}/bias:0"]
            group.attrs["weight_names"] = [name.encode() for name in names]
            group[names[0]] = np.ascontiguousarray(weights[f"{layer}.kernel"].permute(2, 3, 1, 0).numpy())
            group[names[1]] = weights[f"{layer}.bias"].numpy()


@pytest.mark.parametrize("layout", ["pth", "safetensors", "without a prefix", "ours", "a run's", "h5", "h5 of Keras 1"])
def test_vgg16_reads_every_layout(layout, vgg, expected, tmp_path):
    path = tmp_path / ("w.h5" if "h5" in layout else "w.pth" if layout == "pth" else "w.safetensors")
    if layout == "pth":
        torch.save(vgg, path)
    elif "h5" in layout:
        keras(path, expected, layout != "h5")
    else:
        bare = {n.removeprefix("features."): t for n, t in vgg.items() if n.startswith("features.")}
        run = {f"vgg16.{n}": t for n, t in expected.items()} | {"dense_1.kernel": torch.zeros(3, 2)}
        save_file({"safetensors": vgg, "without a prefix": bare, "ours": expected, "a run's": run}[layout], path)
    base = model("vgg16", weights=str(path)).base
    for name, tensor in base.state_dict().items():
        assert torch.equal(tensor, expected[name]), name
    with torch.device("meta"):
        assert model("vgg16", weights=str(path)).base.fingerprint == base.fingerprint


def refused(name, state, tmp_path, **said) -> str:
    save_file({n: t.contiguous() for n, t in state.items()}, tmp_path / "w.safetensors")
    with pytest.raises(ConfigError) as caught, torch.device("meta"):
        model(name, weights=str(tmp_path / "w.safetensors"), **said)
    (problem,) = caught.value.problems
    assert problem.path == "architecture.layers.base.weights"
    return problem.message


def test_the_weights_of_a_deeper_net_do_not_fit(vgg, tmp_path):
    """Whole layers beside the block are left out, more of its own are not."""
    more = {**vgg, "features.30.weight": torch.zeros(512, 512, 3, 3), "features.30.bias": torch.zeros(512)}
    assert "missing block1_conv1.kernel" in refused("vgg16", more, tmp_path)
    del more["features.30.weight"], more["features.30.bias"], more["features.28.weight"]
    assert "missing block1_conv1.kernel" in refused("vgg16", more, tmp_path)


def test_what_a_block_has_no_layer_for_is_left_out_but_no_part_of_its_layers(tmp_path):
    state = theirs("squeezenet1_1").state_dict()
    assert model("squeezenet1_1", weights=_saved(state, tmp_path)).base.fingerprint
    state["features.12.more.weight"] = torch.zeros(1)
    assert "unexpected 12.more.weight" in refused("squeezenet1_1", state, tmp_path)


def test_kernels_of_another_width_are_told(tmp_path):
    state = theirs("squeezenet1_1").state_dict()
    state["features.0.weight"] = torch.zeros(96, 3, 7, 7)
    assert "of another shape 0.kernel 96x3x7x7 instead of 64x3x3x3" in refused("squeezenet1_1", state, tmp_path)


def _saved(state, tmp_path) -> str:
    save_file({n: t.contiguous() for n, t in state.items()}, tmp_path / "w.safetensors")
    return str(tmp_path / "w.safetensors")
