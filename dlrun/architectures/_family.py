"""What parametric families share: a list of layers, and a last layer for each target of the data."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import nn

from dlrun.architectures import graph
from dlrun.contracts import DataSpec
from dlrun.errors import ConfigError, Problem
from dlrun.graphs.nodes import numbered
from dlrun.layers._head import OutputActivation
from dlrun.layers._initializers import Initializer


def family(
    spec: DataSpec,
    layers: list[dict[str, Any]] | dict[str, dict[str, Any]],
    output_activation: OutputActivation = "auto",
    kernel_initializer: Initializer = "glorot_uniform",
) -> nn.Module:
    """One layer after another from the only input on, by their kind and a number or by name, then an output for each
    target.

    output_activation: "auto" is that of the book's table 4-1. Raises ConfigError where a layer does not fit what is
    before it.
    """
    named = numbered(layers) if isinstance(layers, list) else dict(layers)
    last = list(named)[-1] if named else next(iter(spec.inputs))
    for i, target in enumerate(spec.targets):
        given = {} if output_activation == "auto" else {"activation": output_activation}
        named["output" if len(spec.targets) == 1 else f"output_{i + 1}"] = {
            "name": "output", "target": target, "inputs": last, "kernel_initializer": kernel_initializer, **given,
        }  # fmt: skip
    try:
        return graph.build(spec, layers=named)
    except ConfigError as error:  # its layers are not in the YAML: the arguments that list them are
        at = f"{graph.LAYERS}."
        found = [replace(p, path="architecture", message=f"{p.path.removeprefix(at)}: {p.message}") for p in error.problems]
        raise ConfigError(found) from None


def per_layer(key: str, value: Any, counted: str, layers: int, problems: list[Problem]) -> list[Any]:
    """`value` once per layer that the argument `counted` lists; a list of another length is added to `problems`."""
    if not isinstance(value, list):
        return [value] * layers
    if len(value) != layers:
        message = f"expected one value or {layers}, one for each of {counted}; got {len(value)}: {value}"
        problems.append(Problem(f"architecture.{key}", message, f"change architecture.{key} or architecture.{counted}"))
    return value
