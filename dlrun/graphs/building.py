"""From nodes to a module: layers are built in order, each on the shapes that come out of those before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn

from dlrun.errors import ConfigError, Problem
from dlrun.graphs.blocks import Library
from dlrun.graphs.network import Network, Placed, planned
from dlrun.graphs.nodes import Node, read, unknown
from dlrun.graphs.wiring import ordered, source
from dlrun.layers import _making, activation
from dlrun.layers._activations import ACTIVATIONS
from dlrun.layers._making import Recipe
from dlrun.layers._spec import TensorSpec

Shape = TensorSpec | None
"""What comes out of a node; None where that can't be known because something before it is wrong."""


@dataclass
class Part:
    """A node that was built. module: None where it could not be. make: the same again on other inputs."""

    module: nn.Module | None
    made: Any
    inputs: list[Shape]
    outputs: dict[str, Shape]
    activation: str = "linear"


@dataclass
class Graph:
    """A graph being built, of the architecture or of a block. values: name or `block.node` to its number and shape.
    held_back: nodes whose activation is left to the end; those that read them get it by a layer of its own."""

    library: Library
    path: str
    problems: list[Problem]
    inside: tuple[str, ...] = ()
    held_back: Sequence[str] = ()
    parts: dict[str, Part] = field(default_factory=dict)
    layers: dict[str, nn.Module] = field(default_factory=dict)
    steps: list[tuple[nn.Module, tuple[int, ...], tuple[int, ...]]] = field(default_factory=list)
    placed: list[Placed] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)
    count: int = 0

    def build(
        self, nodes: list[Node], inputs: Mapping[str, Shape], outputs: Sequence[str]
    ) -> tuple[Network | None, list[Shape]]:
        """The module and the shapes of its outputs, which are nodes, or `block.node`. What is wrong is added to
        `problems`, and then there is no module."""
        known = [node.name for node in nodes]
        self.problems += [
            unknown(name, known, f"{self.path} (outputs)") for name in outputs if source(name) not in known
        ]
        for name, shape in inputs.items():
            self._value(name, shape)
        in_order = ordered(nodes, list(inputs), outputs, self.path, self.problems)
        for node in in_order:
            self._add(node)
        for node in nodes:
            if node not in in_order:  # in a cycle: what it says of itself is looked at all the same
                self._add(replace(node, inputs=()))
        for name in outputs:
            if name not in self.shapes and source(name) in self.parts:
                self._several(name, f"{self.path} (outputs)")
        shapes = [self.shapes.get(name) for name in outputs]
        if self.problems or None in shapes:
            return None, shapes
        found = [self.numbers[name] for name in outputs]
        plan = planned(self.steps, found, len(inputs))
        given = {name: shape for name, shape in inputs.items() if shape is not None}
        made = {name: shape for name, shape in zip(outputs, shapes, strict=True) if shape is not None}
        return Network(given, self.placed, self.layers, plan, found, made), shapes

    def _value(self, name: str, shape: Shape) -> int:
        self.numbers[name], self.shapes[name] = self.count, shape
        self.count += 1
        return self.numbers[name]

    def _add(self, node: Node) -> None:
        """Build one node and plan its step."""
        shapes, numbers = [], []
        for name in node.inputs:
            if name not in self.shapes and source(name) in self.parts:
                self._several(name, f"{node.path}.inputs")
            elif name in self.shapes:
                numbers.append(self._activated(name))
            shapes.append(self.shapes.get(name))
        part = self._same(node, shapes) if node.same_as else self._new(node, shapes)
        self.parts[node.name] = part
        made = [self._value(name, shape) for name, shape in part.outputs.items()]
        if part.module is not None:
            if not node.same_as:
                self.layers[node.name] = part.module
                if not node.trainable:
                    part.module.requires_grad_(False)
            self.steps.append((part.module, tuple(numbers), tuple(made)))
            kind = node.kind or self.placed_kind(node.same_as)
            outputs = [shape for shape in part.outputs.values() if shape is not None]
            self.placed.append(Placed(node.name, kind, node.inputs, outputs, node.same_as, node.written()))

    def placed_kind(self, name: str | None) -> str:
        """The kind of a node that was built."""
        return next(node.kind for node in self.placed if node.name == name)

    def _several(self, name: str, path: str) -> None:
        """`name` is no value: it is a block with several outputs, or one that it does not have."""
        first = source(name)
        there = [other for other in self.shapes if other.startswith(f"{first}.")]
        if there:
            self.problems.append(
                Problem(path, f"'{name}' is none of the outputs of '{first}'", f"it has: {', '.join(there)}")
            )
        elif "." in name:
            self.problems.append(Problem(path, f"'{first}' has one output", f"say {first}"))

    def _activated(self, name: str) -> int:
        """The number of what a node gives to others."""
        part = self.parts.get(name)
        if part is None or part.activation == "linear":
            return self.numbers[name]
        key = f"{name} activated"
        if key not in self.numbers:
            layer = activation.build(part.outputs[name] or TensorSpec(()), activation=part.activation)  # type: ignore[arg-type]
            self.steps.append((layer, (self.numbers[name],), (self._value(key, part.outputs[name]),)))
            self.layers[f"{name}_activated"] = layer
        return self.numbers[key]

    def _new(self, node: Node, shapes: list[Shape]) -> Part:
        name = node.kind
        if name in self.library.names() and name not in self.inside:
            return self._block(node, shapes)
        if name in self.inside:
            chain = " → ".join([*self.inside[self.inside.index(name) :], name])
            self.problems.append(Problem(node.path, f"block '{name}' is made of itself: {chain}"))
            return _nothing(node, shapes)
        try:
            recipe = _making.recipe(node.described, node.path, self.library.names())
        except ConfigError as error:
            self.problems += error.problems
            return _nothing(node, shapes)
        last = "linear"
        if node.name in self.held_back and recipe.value("activation") in ACTIVATIONS:
            last = recipe.value("activation")
            recipe = Recipe(recipe.name, {**recipe.arguments, "activation": "linear"}, recipe.path)
        module = self._module(node, recipe, shapes)
        return Part(module, recipe, shapes, {node.name: getattr(module, "output", None)}, last)

    def _module(self, node: Node, recipe: Recipe, shapes: list[Shape]) -> nn.Module | None:
        known = [shape for shape in shapes if shape is not None]
        if len(known) < len(shapes) or not shapes:
            return None
        if len(known) > 1 and not recipe.merges:
            message = f"layer {recipe.name} reads one input, received {len(known)}: {', '.join(node.inputs)}"
            self.problems.append(Problem(node.path, message, "merge them before, by concatenate or add"))
            return None
        try:
            return recipe.build(known if recipe.merges else known[0])
        except ConfigError as error:
            self.problems += [self._explained(problem, node) for problem in error.problems]
        return None

    def _explained(self, problem: Problem, node: Node) -> Problem:
        """With what is likely the reason: a layer before it that gives its last step only."""
        for name in node.inputs:
            made = self.parts[name].made if name in self.parts else None
            if isinstance(made, Recipe) and made.value("return_sequences") is False and "steps" in problem.message:
                hint = f"'{name}' returns its last output only: set return_sequences: true in it"
                return Problem(problem.path, problem.message, hint)
        return problem

    def _block(self, node: Node, shapes: list[Shape]) -> Part:
        arguments = {key: value for key, value in node.described.items() if key != "name"}
        try:
            block = self.library.get(node.kind)
            layers = block.filled(arguments, node.path)
        except ConfigError as error:
            self.problems += [p for p in error.problems if p not in self.problems]
            return _nothing(node, shapes)
        if not shapes:
            return _nothing(node, shapes)
        if len(block.inputs) != len(shapes):
            wanted = ", ".join(block.inputs)
            message = f"block '{block.name}' reads {len(block.inputs)} inputs ({wanted}), received {len(shapes)}"
            self.problems.append(Problem(node.path, message, f"it reads: {', '.join(node.inputs)}"))
            return _nothing(node, shapes)

        def make(given: list[Shape], problems: list[Problem]) -> tuple[Network | None, list[Shape]]:
            path = f"{block.path}.layers"
            nodes = read(layers, block.inputs, path, problems)
            if problems:
                return None, [None for _ in block.outputs or [""]]
            graph = Graph(self.library, path, problems, (*self.inside, block.name))
            outputs = block.outputs or [nodes[-1].name]
            return graph.build(nodes, dict(zip(block.inputs, given, strict=True)), outputs)

        found: list[Problem] = []
        module, outputs = make(shapes, found)
        used = f"in '{node.name}'"
        self.problems += [_placed(p, used) for p in found if p not in self.problems]
        names = [f"{node.name}.{name}" for name in block.outputs] if len(block.outputs) > 1 else [node.name]
        return Part(module, make, shapes, dict(zip(names, outputs, strict=False)))

    def _same(self, node: Node, shapes: list[Shape]) -> Part:
        """Another node's weights on inputs of its own."""
        first = self.parts.get(str(node.same_as))
        if first is None or node.same_as is None:
            return _nothing(node, shapes)
        names = [name.replace(node.same_as, node.name, 1) for name in first.outputs]
        if first.module is None or any(shape is None for shape in shapes):
            return Part(None, first.made, shapes, dict.fromkeys(names), first.activation)
        if shapes == first.inputs:
            return Part(
                first.module,
                first.made,
                shapes,
                dict(zip(names, first.outputs.values(), strict=True)),
                first.activation,
            )
        found: list[Problem] = []
        with torch.device("meta"):
            if isinstance(first.made, Recipe):
                again = Graph(self.library, self.path, found)._module(node, first.made, shapes)
                outputs = [getattr(again, "output", None)]
            else:
                again, outputs = first.made(shapes, found)
        self.problems += found
        if again is not None and _weights(again) != _weights(first.module):
            there, here = (" and ".join(map(str, given)) for given in (first.inputs, shapes))
            message = f"the weights of '{node.same_as}' are for {there}, received {here}"
            self.problems.append(Problem(node.path, message, "use a layer of its own, or inputs of one width"))
            again = None
        # A layer without weights keeps no more than the sizes that it was built for.
        module = None if again is None else first.module if _weights(again) else again
        return Part(module, first.made, shapes, dict(zip(names, outputs, strict=True)), first.activation)


def _weights(module: nn.Module) -> dict[str, torch.Size]:
    return {name: t.shape for name, t in module.state_dict().items()}


def _nothing(node: Node, shapes: list[Shape]) -> Part:
    """Of a node that is wrong."""
    return Part(None, None, shapes, {node.name: None})


def _placed(problem: Problem, where: str) -> Problem:
    return Problem(problem.path, problem.message, f"{problem.hint} ({where})".strip())
