"""A layer from its name and arguments, as YAML has them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import nn

from dlrun import registry
from dlrun.arguments import bound
from dlrun.errors import ConfigError, Problem, available
from dlrun.layers._spec import TensorSpec


def make(inputs: TensorSpec | list[TensorSpec], described: Mapping[str, Any], path: str) -> nn.Module:
    """The layer `{name: dense, units: 3}` on such inputs. path: where it stands, for messages. Raises ConfigError
    with all that is wrong with it."""
    problems: list[Problem] = []
    name = described.get("name")
    if not isinstance(name, str):
        raise ConfigError(Problem(path, f"expected a layer with a name, received {dict(described)!r}", offered()))
    given = {str(key): value for key, value in described.items() if key != "name"}
    arguments = bound("layer", name, given, path, problems)
    if problems or arguments is None:
        raise ConfigError([replace(p, path=path if p.path == "layer" else p.path) for p in problems])
    try:
        layer: nn.Module = registry.load("layer", name)(inputs, **arguments)
    except ConfigError as error:
        raise ConfigError([replace(p, path=path) if p.path == "architecture" else p for p in error.problems]) from None
    return layer


def reads_several(name: object) -> bool:
    """Whether this is the name of a layer whose inputs are a list."""
    if not isinstance(name, str) or name not in registry.names("layer"):
        return False
    inputs = inspect.signature(registry.load("layer", name)).parameters["inputs"]
    return str(inputs.annotation).startswith("list")


def offered() -> str:
    """All layers there are."""
    return available(registry.names("layer"), most=100)
