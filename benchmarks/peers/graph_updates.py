"""Nets as graphs from YAML and as modules written by hand, the same layers in both: `python graph_updates.py ROUNDS`.

Updates of both by dlrun's own step, and by its compiled program, in turns on one core. Answers with seconds of
processor time per update, by net and way: a list of pairs, graph and by hand.
"""

from __future__ import annotations

import copy
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from _turns import answer
from torch import Tensor, nn

from dlrun.architectures import graph
from dlrun.compiler import Library
from dlrun.contracts import DataSpec, InputSpec, Rows, TargetSpec
from dlrun.layers._head import shaped
from dlrun.loaders import Loader
from dlrun.losses import mse
from dlrun.objective import Objective
from dlrun.optimizers import rmsprop
from dlrun.program import Program
from dlrun.stack import Single
from dlrun.steps import supervised

BATCH = 32
SECONDS = 0.03  # of a turn: enough updates that reading the clock is nothing
TARGET = TargetSpec("regression")


class ByHand(nn.Module):
    """The layers of a graph, called in plain Python by `forward` of a net below."""

    def __init__(self, model: nn.Module):
        super().__init__()
        for name, layer in copy.deepcopy(model).named_children():
            self.add_module(name, layer)

    def outputs(self, logits: Tensor) -> dict[str, Tensor]:
        return {"y": shaped(logits, TARGET), "y_logits": shaped(logits, TARGET)}


class Dense(ByHand):
    def forward(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        return self.outputs(self.output_1(self.dense_2(self.dense_1(inputs["x"]))))


class Siamese(ByHand):
    def forward(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        return self.outputs(self.last(self.merged(self.lstm(inputs["left"]), self.lstm(inputs["right"]))))


class Inception(ByHand):
    def forward(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        x, block = inputs["x"], self.inception
        a = block.a(x)
        b = block.b_2(block.b_1(x))
        c = block.c_2(block.c_1(x))
        d = block.d_3(block.d_2(block.d_1(x)))
        return self.outputs(self.last(self.pool(block.concatenated(a, b, c, d))))


CASES: dict[str, tuple[type[ByHand], dict[str, tuple[int, ...]], Any]] = {
    "two dense layers": (
        Dense,
        {"x": (13,)},
        [{"name": "dense", "units": 64, "activation": "relu"}] * 2 + [{"name": "output"}],
    ),
    "siamese LSTM": (
        Siamese,
        {"left": (20, 8), "right": (20, 8)},
        {
            "lstm": {"name": "lstm", "units": 32, "inputs": "left"},
            "lstm_right": {"same_as": "lstm", "inputs": "right"},
            "merged": {"name": "concatenate", "inputs": ["lstm", "lstm_right"]},
            "last": {"name": "output"},
        },
    ),
    "Inception module": (
        Inception,
        {"x": (12, 12, 8)},
        {
            "inception": {"name": "inception", "filters": 8},
            "pool": "global_average_pooling2d",
            "last": {"name": "output"},
        },
    ),
}


def step_and_loader(model: nn.Module, spec: DataSpec) -> tuple[Any, Loader]:
    generator = torch.Generator().manual_seed(0)
    inputs = {name: torch.randn(BATCH, *i.shape, generator=generator) for name, i in spec.inputs.items()}
    loader = Loader(
        Rows(inputs, {"y": torch.randn(BATCH, generator=generator)}), spec, [np.arange(BATCH)], BATCH, torch.float32
    )
    step = supervised.build(Single(Objective(model.train(), mse.build(spec), {})), rmsprop.build())
    return step, loader


def updates(model: nn.Module, spec: DataSpec) -> dict[str, Callable[[], Any]]:
    step, loader = step_and_loader(model, spec)
    batch = next(iter(loader.epoch(1))).batch
    compiled, program_loader = step_and_loader(copy.deepcopy(model), spec)
    program = Program(compiled, program_loader)
    inputs = program.example()
    library = Library({"net": type(model).__name__, "spec": repr(spec)}, inputs)
    call = library.load() or library.make(program.update, inputs)
    return {"eager": lambda: step.update(batch), "compiled": lambda: call(inputs)}


def seconds(update: Callable[[], Any], times: int) -> float:
    began = time.thread_time()
    for _ in range(times):
        update()
    return (time.thread_time() - began) / times


def main(rounds: int) -> None:
    torch.set_num_threads(1)
    figures: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for name, (by_hand, shapes, layers) in CASES.items():
        spec = DataSpec({key: InputSpec(shape) for key, shape in shapes.items()}, {"y": TARGET})
        model = graph.build(spec, layers=layers)
        ours, theirs = updates(model, spec), updates(by_hand(model), spec)
        figures[name] = {}
        for way in ours:
            times = max(int(SECONDS / seconds(ours[way], 20)), 1)
            seconds(theirs[way], times)
            pairs = []
            for turn in range(rounds):
                if turn % 2:
                    b, a = seconds(theirs[way], times), seconds(ours[way], times)
                else:
                    a, b = seconds(ours[way], times), seconds(theirs[way], times)
                pairs.append((a, b))
            figures[name][way] = pairs
    answer(**figures)


if __name__ == "__main__":
    main(int(sys.argv[1]))
