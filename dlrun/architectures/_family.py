"""What parametric families share: a list of layers, and a last layer for each target of the data."""

from __future__ import annotations

from typing import Any

from torch import nn

from dlrun.architectures import graph
from dlrun.contracts import DataSpec
from dlrun.errors import Problem
from dlrun.graphs.nodes import numbered
from dlrun.layers._head import OutputActivation
from dlrun.layers._initializers import Initializer


def family(
    spec: DataSpec,
    layers: list[dict[str, Any]],
    output_activation: OutputActivation = "auto",
    kernel_initializer: Initializer = "glorot_uniform",
) -> nn.Module:
    """One layer after another from the only input on, then an output for each target.

    output_activation: "auto" is that of the book's table 4-1.
    """
    named = numbered(layers)
    last = list(named)[-1] if named else next(iter(spec.inputs))
    for i, target in enumerate(spec.targets):
        given = {} if output_activation == "auto" else {"activation": output_activation}
        named["output" if len(spec.targets) == 1 else f"output_{i + 1}"] = {
            "name": "output", "target": target, "inputs": last, "kernel_initializer": kernel_initializer, **given,
        }  # fmt: skip
    return graph.build(spec, layers=named)


def per_layer(key: str, value: Any, layers: list[Any], of: str, problems: list[Problem]) -> list[Any]:
    """`value` once per layer; a list of another length than `layers`, the argument `of`, is added to `problems`."""
    if not isinstance(value, list):
        return [value] * len(layers)
    if len(value) != len(layers):
        message = f"expected one value or {len(layers)}, one per hidden layer of {of}; got {len(value)}: {value}"
        problems.append(Problem(f"architecture.{key}", message, f"change architecture.{key} or architecture.{of}"))
    return value
