"""The book's chain of 5.3 with VGG16 and weights made here, as files of both layouts: frozen, then fine-tuned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from dlrun.architectures import graph
from dlrun.cli import main
from dlrun.contracts import DataSpec, InputSpec, TargetSpec

LITTLE = ("dataset.source=sample", "dataset.size=32", "trainer.epochs=1", "trainer.steps_per_epoch=2",
          "trainer.batch_size=4", "evaluation.validation=200", "trainer.plots=false")  # fmt: skip


def weights(path: str) -> dict[str, torch.Tensor]:
    """Drawn ones, written to a file as torchvision's or Keras's is; returns them by our names."""
    torch.manual_seed(0)
    spec = DataSpec({"x": InputSpec((32, 32, 3))}, {"y": TargetSpec("binary", 2)})
    base = graph.build(spec, layers={"base": "vgg16", "flat": "flatten", "y": "output"}).base
    state = {name: tensor.detach().clone() for name, tensor in base.state_dict().items()}
    layers = dict.fromkeys(name.partition(".")[0] for name in state)
    if path.endswith(".h5"):
        h5py = pytest.importorskip("h5py")
        with h5py.File(path, "w") as file:
            for layer in layers:
                kernel = np.ascontiguousarray(state[f"{layer}.kernel"].permute(2, 3, 1, 0).numpy())
                file[f"{layer}/{layer}_W_1:0"], file[f"{layer}/{layer}_b_1:0"] = kernel, state[f"{layer}.bias"].numpy()
    else:
        numbers = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]  # convolutions in torchvision's `features`
        theirs = {"classifier.0.weight": torch.zeros(2, 3)}
        for layer, n in zip(layers, numbers, strict=True):
            theirs |= {f"features.{n}.weight": state[f"{layer}.kernel"], f"features.{n}.bias": state[f"{layer}.bias"]}
        torch.save(theirs, path)
    return state


def saved(task: str) -> dict[str, torch.Tensor]:
    (file,) = Path("runs", task).glob("*/checkpoints/*last.safetensors")
    return load_file(file)


@pytest.mark.parametrize("path", ["vgg16.pth", "vgg16.h5"])
def test_frozen_then_fine_tuned(path, project, capsys):
    first = weights(path)
    chosen = [f"architecture.weights={path}", *LITTLE]
    assert main(["train", "task=dogs_vs_cats_vgg16_extended", *chosen]) == 0
    extended = saved("dogs_vs_cats_vgg16_extended")
    for name, tensor in first.items():
        assert torch.equal(extended[f"vgg16.{name}"], tensor), name
    assert "26 frozen tensors are what they were" in capsys.readouterr().err
    assert main(["train", "task=dogs_vs_cats_vgg16_finetune", *chosen]) == 0
    assert "20 frozen tensors are what they were" in capsys.readouterr().err
    tuned = saved("dogs_vs_cats_vgg16_finetune")
    moved = {name for name, tensor in extended.items() if not torch.equal(tuned[name], tensor)}
    block = {f"vgg16.{name}" for name in first if name.startswith("block5")}
    head = {f"{layer}.{last}" for layer in ("dense_1", "output") for last in ("kernel", "bias")}
    assert moved <= block | head
    assert {f"vgg16.block5_conv{i}.kernel" for i in (1, 2, 3)} | {"dense_1.kernel", "output.kernel"} <= moved


def test_a_run_of_another_head_is_no_beginning(project, capsys):
    weights("vgg16.pth")
    chosen = ["architecture.weights=vgg16.pth", *LITTLE]
    assert main(["train", "task=dogs_vs_cats_vgg16_finetune", *chosen]) == 2
    assert "train it first: dlrun train task=dogs_vs_cats_vgg16_extended" in capsys.readouterr().err
    assert main(["train", "task=dogs_vs_cats_vgg16_extended", *chosen, "architecture.units=[8,8]"]) == 0
    capsys.readouterr()
    assert main(["train", "task=dogs_vs_cats_vgg16_finetune", *chosen]) == 2
    text = " ".join(capsys.readouterr().err.split())
    assert "unexpected dense_2.bias" in text
    assert "of another shape dense_1.kernel 512x8 instead of 512x256" in text
