"""A graph from YAML costs nothing: its compiled update is that of the same layers called by hand."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from dlrun.architectures import graph
from dlrun.compiler import trace
from dlrun.contracts import DataSpec, InputSpec, Rows, TargetSpec
from dlrun.layers._head import shaped
from dlrun.loaders import Loader
from dlrun.losses import mse
from dlrun.objective import Objective
from dlrun.optimizers import rmsprop
from dlrun.program import Program
from dlrun.stack import Single
from dlrun.steps import supervised

ROWS = 6
SPEC = DataSpec(
    {"left": InputSpec((9, 3)), "right": InputSpec((9, 3))}, {"y": TargetSpec("regression")}
)  # fmt: skip
LAYERS = {
    "conv": {"name": "conv1d", "inputs": "left", "filters": 4, "kernel_size": 3, "activation": "relu"},
    "conv_right": {"same_as": "conv", "inputs": "right"},
    "merged": {"name": "concatenate", "inputs": ["conv", "conv_right"]},
    "pool": "global_average_pooling1d",
    "wide_and_deep": {"name": "wide_and_deep", "units": 1, "hidden": 3},
}


class ByHand(nn.Module):
    def __init__(self, model: nn.Module):
        super().__init__()
        for name, layer in copy.deepcopy(model).named_children():
            self.add_module(name, layer)

    def forward(self, inputs):
        x = self.pool(self.merged(self.conv(inputs["left"]), self.conv(inputs["right"])))
        block = self.wide_and_deep
        y = block.sum(block.wide(x), block.deep(block.deep_2(block.deep_1(x))))
        return {"y": shaped(y, SPEC.targets["y"]), "y_logits": shaped(y, SPEC.targets["y"])}


def program(model: nn.Module) -> Program:
    torch.manual_seed(0)
    rows = Rows({name: torch.randn(ROWS, *i.shape) for name, i in SPEC.inputs.items()}, {"y": torch.randn(ROWS)})
    loader = Loader(rows, SPEC, [np.arange(ROWS)], ROWS, torch.float32)
    return Program(supervised.build(Single(Objective(model, mse.build(SPEC), {})), rmsprop.build()), loader)


@pytest.fixture(scope="module")
def programs() -> tuple[Program, Program]:
    model = graph.build(SPEC, layers=LAYERS)
    return program(model), program(ByHand(model))


def test_the_compiled_update_is_the_same_operations(programs):
    ours, by_hand = (trace(p.update, p.example()).graph.nodes for p in programs)
    assert [str(node.target) for node in ours] == [str(node.target) for node in by_hand]


def test_the_eager_update_is_the_same_to_the_bit(programs):
    for p in programs:
        p.step.update(next(iter(p.loader.epoch(1))).batch)
    ours, by_hand = (p.step.ensemble.tensors()[0] for p in programs)
    assert ours.keys() == by_hand.keys()
    assert all(torch.equal(ours[name], by_hand[name]) for name in ours)
