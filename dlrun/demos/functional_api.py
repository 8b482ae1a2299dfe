"""Graphs of layers as the functional API has them: what equals what, and what is refused in which words (7.1)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import yaml
from torch import nn

from dlrun import console
from dlrun.architectures import graph
from dlrun.contracts import DataSpec, InputSpec, TargetSpec
from dlrun.errors import ConfigError
from dlrun.graphs import summary

CLASSES = TargetSpec("multiclass", classes=10)

GRAPH = """
hidden: {name: dense, units: 32, activation: relu, inputs: x}
more: {name: dense, units: 32, activation: relu, inputs: hidden}
y: {name: output, inputs: more}
"""
LIST = """
- {name: dense, units: 32, activation: relu}
- {name: dense, units: 32, activation: relu}
- output
"""
MODULE = "[{name: inception}, global_average_pooling2d, output]"
RESIDUAL = "[{name: residual_identity}, global_average_pooling2d, output]"
TWINS = """
left_seen: {name: xception, inputs: left}
right_seen: {same_as: left_seen, inputs: right}
both: {name: concatenate, inputs: [left_seen, right_seen]}
pooled: global_average_pooling2d
y: output
"""

REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "input_that_no_output_depends_on": (
        {"x": (64,), "unrelated": (32,)},
        GRAPH,
        "do not depend on the input 'unrelated'",
    ),
    "disconnected_output": ({"unrelated": (32,)}, GRAPH, "no layer or input is called 'x'"),
    "cycle": (
        {"x": (64,)},
        "{a: {name: dense, units: 64, inputs: b}, b: {name: add, inputs: [a, x]}, y: output}",
        "a cycle: a → b → a",
    ),
    "layer_that_leads_nowhere": (
        {"x": (64,)},
        "{a: {name: dense, units: 64}, y: {name: output, inputs: x}}",
        "'a' leads to no output",
    ),
    "inception_without_padding": (
        {"x": (28, 28, 256)},
        """
        a: {name: conv2d, filters: 128, kernel_size: 1, strides: 2, inputs: x}
        b_1: {name: conv2d, filters: 128, kernel_size: 1, inputs: x}
        b_2: {name: conv2d, filters: 128, kernel_size: 3, strides: 2}
        c_1: {name: average_pooling2d, pool_size: 3, strides: 2, inputs: x}
        c_2: {name: conv2d, filters: 128, kernel_size: 3}
        d_1: {name: conv2d, filters: 128, kernel_size: 1, inputs: x}
        d_2: {name: conv2d, filters: 128, kernel_size: 3}
        d_3: {name: conv2d, filters: 128, kernel_size: 3, strides: 2}
        all: {name: concatenate, inputs: [a, b_2, c_2, d_3]}
        pooled: global_average_pooling2d
        y: output
        """,
        "(14, 14, 128), (13, 13, 128), (11, 11, 128) and (12, 12, 128)",
    ),
    "linear_shortcut_on_odd_sizes": (
        {"x": (29, 29, 128)},
        "[{name: residual_linear}, global_average_pooling2d, output]",
        "(14, 14, 128) and (15, 15, 128)",
    ),
    "tokens_beyond_the_embedding": (
        {"x": InputSpec((300,), "tokens", vocabulary=50_000)},
        "[{name: embedding, input_dim: 256, output_dim: 50000}, global_max_pooling1d, output]",
        "input_dim=256, and its tokens are 0 .. 49999",
    ),
    "recurrent_layer_on_a_last_state": (
        {"x": (20, 8)},
        "{first: {name: lstm, units: 32}, second: {name: lstm, units: 32}, y: output}",
        "return_sequences",
    ),
    "output_for_no_target": (
        {"x": (64,)},
        "[{name: output, target: yy}]",
        "no target 'yy' in the data",
    ),
}
"""What it is: inputs, layers, and what must be said of them."""


def run(folder: Path) -> dict[str, float]:
    """Figures by name, and 1 for each graph that is refused with a message that names what is wrong. folder: not used,
    there are no pictures."""
    values = {"functional_less_sequential": difference(), **parameters(), **twins()}
    console.table(["what", "value"], [[name.replace("_", " "), console.number(v)] for name, v in values.items()],
                  "Graphs of layers", right=["value"])  # fmt: skip
    rows = []
    for name, (inputs, layers, expected) in REFUSED.items():
        said = refusal(inputs, layers)
        rows.append([name.replace("_", " "), said])
        values[name] = float(expected in said)
    console.table(["refused when the model is made", "what is said"], rows, "Graphs that are none")
    return values


def built(inputs: dict[str, Any], layers: str) -> nn.Module:
    """The model of layers in YAML for ten classes. inputs: names with shapes, or with an InputSpec."""
    given = {name: one if isinstance(one, InputSpec) else InputSpec(one) for name, one in inputs.items()}
    return graph.build(DataSpec(given, {"y": CLASSES}), layers=yaml.safe_load(layers))


def refusal(inputs: dict[str, Any], layers: str) -> str:
    """What is wrong with these layers; empty where nothing is."""
    try:
        with torch.device("meta"):
            built(inputs, layers)
    except ConfigError as error:
        return "; ".join(f"{problem.path}: {problem.message}. {problem.hint}".strip() for problem in error.problems)
    return ""


def difference() -> float:
    """The graph of three layers and the list of the same, with the same seed: largest difference of what they give."""
    models = []
    for layers in (GRAPH, LIST):
        torch.manual_seed(0)
        models.append(built({"x": (64,)}, layers).double())
    x = torch.rand(100, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    one, other = (model({"x": x})["y"] for model in models)
    return float((one - other).detach().abs().max())


def parameters() -> dict[str, float]:
    """Of the book's modules, by branch: Inception on 256 channels, the residual block on 128."""
    with torch.device("meta"):
        lines = list(summary.lines(built({"x": (28, 28, 256)}, MODULE), nested=True))
        _, residual, *_ = summary.lines(built({"x": (28, 28, 128)}, RESIDUAL))
    return {
        f"inception_branch_{branch}": float(sum(line.trainable for line in lines if f".{branch}" in line.path))
        for branch in "abcd"
    } | {"residual_identity": float(residual.trainable)}


def twins() -> dict[str, float]:
    """One Xception for two pictures of 250 x 250: its parameters, those of both, the size of what it makes of them."""
    with torch.device("meta"):
        found = {
            line.path: line for line in summary.lines(built({"left": (250, 250, 3), "right": (250, 250, 3)}, TWINS))
        }
    base = found["left_seen"]
    return {
        "xception_parameters": float(base.trainable + base.frozen),
        "xception_called_twice": float(base.trainable + base.frozen + found["right_seen"].trainable),
        "merged_8_8_4096": float(found["both"].shape == "(None, 8, 8, 4096)"),
    }
