"""Nodes that were built, and what two of them must have in common to share their weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from dlrun.errors import Problem
from dlrun.graphs.nodes import Node
from dlrun.layers._making import Recipe
from dlrun.layers._spec import TensorSpec

Shape = TensorSpec | None
"""What comes out of a node; None where that can't be known because something before it is wrong."""


@dataclass(frozen=True)
class Made:
    """What a node becomes on certain inputs. module: None where it can't be made. shapes and activations: by what
    follows the node's name, nothing for the only output, `.node` for one of several of a block; activations are those
    left to the end."""

    module: nn.Module | None
    shapes: dict[str, Shape]
    activations: dict[str, str]


Make = Callable[[Node, list[Shape], list[Problem]], Made]


@dataclass(frozen=True)
class Part:
    """A node that was built. made: None where it is wrong in itself. make: the same for another node on other inputs.
    recipe: where it is a layer."""

    node: Node
    made: Made | None
    inputs: list[Shape]
    make: Make | None = None
    recipe: Recipe | None = None

    @property
    def module(self) -> nn.Module | None:
        """What is called."""
        return self.made.module if self.made else None

    @property
    def outputs(self) -> dict[str, Shape]:
        """By the name that others read it by."""
        return {self.node.name + end: shape for end, shape in (self.made.shapes if self.made else {"": None}).items()}

    @property
    def activations(self) -> dict[str, str]:
        """By the name that others read it by."""
        return {self.node.name + end: last for end, last in (self.made.activations if self.made else {}).items()}


def weights(module: nn.Module) -> dict[str, torch.Size]:
    """Shapes of all that it saves."""
    return {name: tensor.shape for name, tensor in module.state_dict().items()}


SIZES = ("inputs", "nodes", "output", "outputs", "stacked_beside", "training", "frozen", "fingerprint")
"""What a layer keeps of its inputs and does not use when it runs, and what happened to it when it was made."""


def settings(module: nn.Module) -> list[dict[str, Any]]:
    """All else that its layers were made with."""
    return [
        {key: value for key, value in vars(layer).items() if key not in SIZES and not key.startswith("_")}
        for layer in module.modules()
    ]
