"""`architecture.weights` of graphs."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from dlrun.architectures import graph
from dlrun.cli import main
from dlrun.contracts import DataSpec, InputSpec, TargetSpec
from dlrun.errors import ConfigError

SPEC = DataSpec({"x": InputSpec((8, 8, 3))}, {"y": TargetSpec("multiclass", 5)})
LAYERS = {
    "conv": {"name": "conv2d", "filters": 4, "kernel_size": 3},
    "body": "pair",
    "flat": "flatten",
    "dropout": {"name": "dropout", "rate": 0.5},
    "head_1": {"name": "output"},
}
BLOCKS = {"pair": {"layers": {"0": "batch_normalization", "1": {"name": "dense", "units": 6}}}}


def build(weights=None, **arguments):
    return graph.build(SPEC, **{"layers": LAYERS, "blocks": BLOCKS, "weights": weights, **arguments})


def torchs(model: nn.Module) -> dict[str, torch.Tensor]:
    """The model's state as a module of torch would have it."""
    names = {"kernel": "weight", "gamma": "weight", "beta": "bias", "moving_mean": "running_mean",
             "moving_variance": "running_var"}  # fmt: skip
    state = {"body.0.num_batches_tracked": torch.tensor(7)}
    for name, tensor in model.state_dict().items():
        layer, _, last = name.replace("head_1", "head.1").rpartition(".")
        if last != "key":
            dense = last == "kernel" and tensor.ndim == 2
            if layer == "head.1" and dense:  # flattened maps of 6 x 6 x 6, channels first
                tensor = tensor.reshape(6, 6, 6, -1).permute(2, 0, 1, 3).flatten(0, 2)
            state[f"{layer}.{names.get(last, last)}"] = (tensor.T if dense else tensor).contiguous()
    return state


def saved(state, path, torch_file=False):
    torch.save(state, path) if torch_file else save_file(state, path)
    return str(path)


def drawn() -> nn.Module:
    model = build()
    for tensor in model.state_dict().values():
        if tensor.is_floating_point():
            tensor.uniform_()
    return model


@pytest.mark.parametrize("torch_file", [True, False])
@pytest.mark.parametrize("names", [torchs, nn.Module.state_dict])
def test_a_model_gets_the_weights_of_a_file(names, torch_file, tmp_path):
    first = drawn()
    model = build(saved(names(first), tmp_path / ("w.pth" if torch_file else "w.safetensors"), torch_file))
    for name, tensor in model.state_dict().items():
        assert name == "dropout.key" or torch.equal(tensor, first.state_dict()[name]), name
    assert model.eval()({"x": torch.ones(2, 8, 8, 3)})["y"].shape == (2, 5)


def test_on_the_meta_device_a_file_is_only_compared(tmp_path):
    path = saved(torchs(drawn()), tmp_path / "w.safetensors")
    with torch.device("meta"):
        model = build(path)
    assert all(t.is_meta for t in model.parameters())
    assert model.fingerprint == build(path).fingerprint
    assert model.fingerprint != build(saved(torchs(drawn()), tmp_path / "v.safetensors")).fingerprint
    assert build().fingerprint is None


def refused(weights, **arguments) -> str:
    """The one error, message and hint, which is the same without memory for the model."""
    texts = []
    for device in ("meta", "cpu"):
        with pytest.raises(ConfigError) as caught, torch.device(device):
            build(weights, **arguments)
        (problem,) = caught.value.problems
        assert problem.path == "architecture.weights"
        texts.append(f"{problem.message} | {problem.hint}")
    assert texts[0] == texts[1]
    return texts[0]


def test_wrong_names_and_shapes_are_told_with_the_nearest(tmp_path):
    state = torchs(drawn())
    state["convv.weight"] = state.pop("conv.weight")
    state["head.1.bias"] = torch.zeros(7)
    state["surplus"] = torch.zeros(1)
    text = refused(saved(state, tmp_path / "w.safetensors"))
    assert "missing conv.kernel (Did you mean 'convv.weight'?);" in text
    assert "unexpected convv.weight (Did you mean 'conv.weight'?), surplus;" in text
    assert "of another shape head_1.bias 7 instead of 5" in text


def test_a_dense_kernel_is_shown_in_our_layout(tmp_path):
    state = torchs(drawn())
    state["body.1.weight"] = torch.zeros(6, 9)
    assert "body.1.kernel 9x6 instead of 4x6" in refused(saved(state, tmp_path / "w.safetensors"))


def test_few_of_many_names_are_shown(tmp_path):
    text = refused(saved({"a": torch.zeros(1)}, tmp_path / "w.safetensors"))
    assert "missing conv.kernel, conv.bias, body.0.gamma, … (10 in all)" in text


@pytest.mark.parametrize("name", ["w.safetensors", "w.pth"])
@pytest.mark.parametrize("bytes_left", [0, 5, 200, -1])
def test_a_file_cut_short_is_refused(name, bytes_left, tmp_path):
    path = tmp_path / name
    saved(torchs(drawn()), path, name.endswith("pth"))
    path.write_bytes(path.read_bytes()[:bytes_left])
    assert f"{path} can't be read as a file of weights" in refused(str(path))


def test_other_contents_are_refused(tmp_path):
    assert "keys model, epoch" in refused(saved({"model": {}, "epoch": 3}, tmp_path / "w.pth", True))
    assert "a Tensor" in refused(saved(torch.zeros(3), tmp_path / "w.pth", True))
    torch.save(nn.Linear(2, 2), tmp_path / "w.pth")  # code, which is never run
    assert "can't be read" in refused(str(tmp_path / "w.pth"))
    (tmp_path / "w.pth").write_text("no weights at all")
    assert "can't be read" in refused(str(tmp_path / "w.pth"))


def test_a_file_is_looked_for_here_and_in_the_mirrors(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    (tmp_path / "mirror" / "weights").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("DLRUN_MIRROR", f"https://mirror.example/data,{tmp_path / 'mirror'}")
    text = refused("w.safetensors")
    assert f"no such file: w.safetensors, {tmp_path / 'mirror/weights/w.safetensors'}" in text
    far = build(saved(torchs(drawn()), tmp_path / "mirror/weights/w.safetensors")).fingerprint
    assert build("w.safetensors").fingerprint == far
    assert "Did you mean 'w.safetensors'?" in refused("ww.safetensors")
    near = build(saved(torchs(drawn()), "w.safetensors")).fingerprint
    assert build("w.safetensors").fingerprint == near != far


def test_a_folder_is_no_file(tmp_path):
    assert "no such file" in refused(str(tmp_path))


def test_other_weights_are_another_run(project, capsys):
    layers = "architecture.layers=[{name: dense, units: 4},{name: output}]"
    words = ["train", "dataset=points_2d", "architecture=graph", layers, "trainer.epochs=1", "trainer.plots=false",
             "architecture.weights=w.safetensors"]  # fmt: skip
    assert main(words) == 2
    assert "architecture.weights: no such file: w.safetensors" in capsys.readouterr().err
    shapes = {"dense_1.kernel": (2, 4), "dense_1.bias": (4,), "output_1.kernel": (4, 1), "output_1.bias": (1,)}
    for value in (0.1, 0.1, 0.2):
        save_file({name: torch.full(shape, value) for name, shape in shapes.items()}, "w.safetensors")
        assert main(words) == 0
    assert len(list((project / "runs" / "points_2d_graph").iterdir())) == 2


def test_flattened_maps_of_torch_have_their_channels_first(tmp_path):
    """A net of torch with a dense layer on maps that are no squares, and another that reads a vector."""
    torch.manual_seed(0)
    theirs = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Dropout(), nn.Linear(6 * 5 * 4, 7), nn.Linear(7, 5))
    file = saved(theirs.state_dict(), tmp_path / "w.pth", torch_file=True)
    spec = DataSpec({"x": InputSpec((8, 7, 3))}, {"y": TargetSpec("multiclass", 5)})
    layers = {"0": {"name": "conv2d", "filters": 4, "kernel_size": 3}, "flat": "flatten",
              "drop": {"name": "dropout", "rate": 0.5}, "3": {"name": "dense", "units": 7}, "4": "output"}  # fmt: skip
    ours = graph.build(spec, layers=layers, weights=file).eval()
    x = torch.randn(2, 8, 7, 3)
    torch.testing.assert_close(ours({"x": x})["y_logits"], theirs.eval()(x.permute(0, 3, 1, 2)))


def test_dense_layers_in_their_order_are_turned(tmp_path):
    """A block under other names, one of whose kernels is a square."""
    torch.manual_seed(0)
    theirs = nn.Sequential(nn.Flatten(), nn.Linear(4 * 3 * 2, 6), nn.Linear(6, 6))
    torch.save({f"classifier.{n}": t for n, t in theirs.state_dict().items()}, tmp_path / "w.pth")
    spec = DataSpec({"x": InputSpec((4, 3, 2))}, {"y": TargetSpec("multiclass", 6)})
    dense = {"name": "dense", "units": 6}
    blocks = {"top": {"layers": {"flat": "flatten", "fc1": dense, "fc2": dense}}}
    ours = graph.build(spec, layers={"top": {"name": "top", "weights": str(tmp_path / "w.pth")}}, blocks=blocks)
    x = torch.randn(2, 4, 3, 2)
    torch.testing.assert_close(ours({"x": x})["y_logits"], theirs(x.permute(0, 3, 1, 2)))
