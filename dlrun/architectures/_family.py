"""What parametric families share: a list of layers, and a last layer for each target of the data."""

from __future__ import annotations

from collections.abc import Mapping
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
    keys: Mapping[str, str] | None = None,
) -> nn.Module:
    """One layer after another from the only input on, by their kind and a number or by name, then an output for each
    target.

    output_activation: "auto" is that of the book's table 4-1. keys: of a layer that takes all its arguments from one
    key of the YAML. Raises ConfigError where a layer does not fit what is before it.
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
    except ConfigError as error:
        raise ConfigError([_placed(problem, keys or {}) for problem in error.problems]) from None


def _placed(problem: Problem, keys: Mapping[str, str]) -> Problem:
    """Its layers are not in the YAML: the arguments that list them are."""
    at = problem.path.removeprefix(f"{graph.LAYERS}.")
    layer, dot, argument = at.partition(".")
    if layer in keys:
        return replace(problem, path=f"{keys[layer]}{dot}{argument}")
    return replace(problem, path="architecture", message=f"{at}: {problem.message}")


def reads_one(name: str, spec: DataSpec, problems: list[Problem]) -> None:
    """The architecture `name` is for data with one input; others are added to `problems`."""
    if len(spec.inputs) != 1:
        message = f"{name} reads exactly one input, the data have {len(spec.inputs)}: {', '.join(spec.inputs)}"
        problems.append(Problem("architecture.name", message, "choose an architecture for several inputs"))


def per_layer(key: str, value: Any, counted: str, layers: int, problems: list[Problem]) -> list[Any]:
    """`value` once per layer that the argument `counted` lists; a list of another length is added to `problems`."""
    if not isinstance(value, list):
        return [value] * layers
    if len(value) != layers:
        message = f"expected one value or {layers}, one for each of {counted}; got {len(value)}: {value}"
        problems.append(Problem(f"architecture.{key}", message, f"change architecture.{key} or architecture.{counted}"))
    return value
