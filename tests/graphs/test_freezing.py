"""What is frozen does not move, to the bit: not by the optimizer, not by weight decay, not by statistics of batches."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from dlrun.architectures import graph
from dlrun.cli import main
from dlrun.contracts import DataSpec, InputSpec, TargetSpec
from dlrun.layers.batch_normalization import BatchNormalization

BLOCK = {"layers": {
    "0": {"name": "conv_bn_relu", "filters": 4},
    "1": {"name": "sequential", "layers": {"conv": {"name": "conv2d", "filters": 4, "kernel_size": 3, "l2": 0.1, "use_bias": False},
                                           "norm": "batch_normalization"}},
    "2": {"name": "conv_bn_relu", "filters": 4},
}}  # fmt: skip
SPEC = DataSpec({"image": InputSpec((12, 12, 3))}, {"shape": TargetSpec("multiclass", 3)})
HOW = {"false": {"trainable": False}, "from 1": {"trainable_from": "1"}, "from 2": {"trainable_from": "2"}}


def layers(how, **more):
    return {"base": {"name": "own", **HOW[how], **more}, "flat": "flatten", "answer": "output"}


def built(how):
    return graph.build(SPEC, layers=layers(how), blocks={"own": BLOCK})


def frozen(how, name):
    """Whether a tensor must stay as it is."""
    _, base, rest = name.partition("base.")
    return bool(base) and (how == "false" or int(rest[0]) < int(how[-1]))


@pytest.mark.parametrize("how", HOW)
def test_which_weights_train(how):
    model = built(how)
    for name, weight in model.named_parameters():
        assert weight.requires_grad != frozen(how, name), name
    for name, layer in model.named_modules():
        assert getattr(layer, "frozen", False) == (hasattr(layer, "frozen") and frozen(how, name)), name


def test_frozen_batch_normalization_works_as_in_evaluation():
    """Also while the model trains; so rows do not feel each other."""
    from dlrun.stack import mixes_rows

    base = built("false").base
    x = torch.randn(5, 12, 12, 3)
    assert torch.equal(base.train()(x), base.eval()(x))
    assert not mixes_rows(base)
    assert mixes_rows(built("from 2").base)


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize(
    "more",
    [
        pytest.param(("optimizer=adamw", "optimizer.weight_decay=0.1"), id="decay"),
        pytest.param(("optimizer=sgd", "evaluation=kfold", "evaluation.n_splits=2"), id="stack"),
        pytest.param(("optimizer=rmsprop", "trainer.compile=always"), id="compiled", marks=pytest.mark.slow),
    ],
)
def test_nothing_frozen_moves_in_a_training(how, more, project, capsys):
    torch.manual_seed(0)
    first = {f"base.{n}": t.uniform_(0.5, 1.5) for n, t in built(how).base.state_dict().items()}
    save_file({n: t.contiguous() for n, t in first.items()}, "first.safetensors")
    words = ["train", "dataset=shapes", "dataset.size=12", "dataset.classes=3", "dataset.n=60", "trainer.epochs=1",
             "trainer.batch_size=16", "trainer.plots=false", "architecture=graph", *more,
             f"architecture.layers={_yaml(layers(how, weights='first.safetensors'))}",
             f"architecture.blocks={_yaml({'own': BLOCK})}"]  # fmt: skip
    assert main(words) == 0
    assert "frozen tensors are what they were before training" in capsys.readouterr().err
    files = list(Path("runs").glob("*/*/checkpoints/*last.safetensors"))
    assert len(files) == (2 if "kfold" in str(more) else 1)
    for file in files:
        for name, tensor in load_file(file).items():
            if name in first:
                assert torch.equal(tensor, first[name]) == frozen(how, name), name


def _yaml(node) -> str:
    """As the command line takes it."""
    if isinstance(node, dict):
        return "{" + ",".join(f"{k}: {_yaml(v)}" for k, v in node.items()) + "}"
    return str(node).lower() if isinstance(node, bool) else str(node)


def test_what_moves_though_it_is_frozen_ends_the_run(project, monkeypatch, capsys):
    """Such as a layer that knows nothing of `frozen`."""
    forward = BatchNormalization.forward

    def moving(self, inputs):
        self.moving_mean.add_(0.1)
        return forward(self, inputs)

    monkeypatch.setattr(BatchNormalization, "forward", moving)
    words = ["train", "dataset=shapes", "dataset.size=12", "dataset.classes=3", "dataset.n=60", "trainer.epochs=1",
             "architecture=graph", f"architecture.layers={_yaml(layers('false'))}",
             f"architecture.blocks={_yaml({'own': BLOCK})}"]  # fmt: skip
    assert main(words) == 4
    assert "tensors that are frozen have moved in training" in capsys.readouterr().err
