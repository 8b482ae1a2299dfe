"""A layer from its name and arguments, as YAML has them."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from dlrun import registry
from dlrun.arguments import bound
from dlrun.errors import ConfigError, Problem, nearest
from dlrun.layers._activations import ACTIVATIONS
from dlrun.layers._spec import TensorSpec

Inputs = TensorSpec | list[TensorSpec]


@dataclass(frozen=True)
class Recipe:
    """A layer's name with arguments that fit it. path: where it stands, for messages."""

    name: str
    arguments: dict[str, Any]
    path: str

    def value(self, argument: str) -> Any:
        """What an argument is or would be; None where the layer has none of that name."""
        default = registry.arguments(registry.load("layer", self.name)).get(argument, (None, None))[1]
        return self.arguments.get(argument, default)

    @property
    def last_activation(self) -> str:
        """What the layer applies to all that it gives; recurrent ones use theirs within each step."""
        last = self.value("activation")
        if self.name == "softmax" and self.value("axis") == -1:
            return "softmax"
        return last if last in ACTIVATIONS and self.value("return_sequences") is None else "linear"

    def without_activation(self) -> Recipe:
        """The same layer but for its last activation."""
        if self.name == "softmax":
            return replace(self, name="activation", arguments={"activation": "linear"})
        return replace(self, arguments={**self.arguments, "activation": "linear"})

    @property
    def merges(self) -> bool:
        """Whether it reads several inputs."""
        return reads_several(self.name)

    def build(self, inputs: Inputs) -> nn.Module:
        """The layer on such inputs. Raises ConfigError."""
        try:
            layer: nn.Module = registry.load("layer", self.name)(inputs, **self.arguments)
        except ConfigError as error:
            found = [replace(p, path=self.path + p.path.removeprefix("architecture")) for p in error.problems]
            raise ConfigError(found) from None
        except (TypeError, ValueError, RuntimeError, OverflowError) as error:
            # What a layer of the user's own did not look at, and sizes that torch can't count. What was fine without
            # memory and fails with it has run out of memory, which is said elsewhere.
            if isinstance(error, RuntimeError) and not torch.empty(0).is_meta:
                raise
            message = f"layer {self.name} can't be made: {str(error).splitlines()[0] if str(error) else error!r}"
            raise ConfigError(Problem(self.path, message)) from None
        return layer


def recipe(described: Mapping[str, Any], path: str, also: Iterable[str] = ()) -> Recipe:
    """`{name: dense, units: 3}`, checked. also: names that are no layers and yet offered. Raises ConfigError with all
    that is wrong with it."""
    problems: list[Problem] = []
    name = described.get("name")
    if not isinstance(name, str):
        raise ConfigError(Problem(path, f"expected a layer with a name, received {dict(described)!r}", offered(also)))
    if name not in registry.names("layer"):
        known = [*registry.names("layer"), *also]
        raise ConfigError(
            Problem(path, f"no layer is called '{name}'", f"{nearest(name, known)} {offered(also)}".strip())
        )
    given = {str(key): value for key, value in described.items() if key != "name"}
    arguments = bound("layer", name, given, path, problems)
    if problems or arguments is None:
        raise ConfigError([replace(p, path=path if p.path == "layer" else p.path) for p in problems])
    return Recipe(name, arguments, path)


def make(inputs: Inputs, described: Mapping[str, Any], path: str) -> nn.Module:
    """The layer `{name: dense, units: 3}` on such inputs. Raises ConfigError with all that is wrong with it."""
    return recipe(described, path).build(inputs)


def offered(also: Iterable[str] = ()) -> str:
    """How to see all layers there are."""
    return f"`dlrun list layer` lists all {len(registry.names('layer')) + len(list(also))}"


def reads_several(name: object) -> bool:
    """Whether this is the name of a layer whose inputs are a list."""
    if not isinstance(name, str) or name not in registry.names("layer"):
        return False
    inputs = inspect.signature(registry.load("layer", name)).parameters["inputs"]
    return str(inputs.annotation).startswith("list")
