"""From nodes to a module: layers are built in order, each on the shapes that come out of those before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import nn

from dlrun.errors import ConfigError, Problem
from dlrun.graphs.blocks import Library
from dlrun.graphs.freezing import freeze, freeze_before
from dlrun.graphs.network import Network, Placed, planned
from dlrun.graphs.nodes import Node, read, unknown
from dlrun.graphs.parts import Made, Part, Shape, settings, weights
from dlrun.graphs.pretrained import begin
from dlrun.graphs.wiring import ordered, source
from dlrun.layers import _making, activation
from dlrun.layers._making import Recipe


@dataclass
class Graph:
    """A graph being built, of the architecture or of a block. values: name or `block.node` to its number and shape.
    held_back: outputs whose activation is left to the end; nodes that read them get it by a layer of its own.
    sample: as in `pretrained.choose`."""

    library: Library
    path: str
    problems: list[Problem]
    inside: tuple[str, ...] = ()
    held_back: Sequence[str] = ()
    sample: bool = False
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
            unknown(name, known, f"{self.path} (outputs)", "layer") for name in outputs if source(name) not in known
        ]
        for name, shape in inputs.items():
            self._value(name, shape)
        in_order = ordered(nodes, list(inputs), outputs, self.path, self.problems)
        # Who has the weights of a layer whose activation is left to the end has no activation either.
        held = {name: name.partition(".") for name in self.held_back}
        self.held_back = [*held, *(
            node.same_as + dot + rest
            for node in nodes if node.same_as for first, dot, rest in held.values() if first == node.name
        )]  # fmt: skip
        for node in in_order:
            self._add(node)
        for node in nodes:
            if node not in in_order:  # in a cycle: what it says of itself is looked at all the same
                self._add(replace(node, inputs=(), same_as=None, wrong=node.wrong or node.same_as is not None))
        for name in outputs:
            if name not in self.shapes and source(name) in self.parts:
                self._several(name, f"{self.path} (outputs)")
        shapes = [self.shapes.get(name) if source(name) in known else None for name in outputs]
        if self.problems or None in shapes or not shapes:
            return None, shapes
        found = [self.numbers[name] for name in outputs]
        plan = planned(self.steps, found, len(inputs))
        given = {name: shape for name, shape in inputs.items() if shape is not None}
        made = {name: shape for name, shape in zip(outputs, shapes, strict=True) if shape is not None}
        return Network(given, self.placed, self.layers, plan, found, made), shapes

    def activation(self, name: str) -> str:
        """Of an output that is held back, what is left to do."""
        return self.parts[source(name)].activations.get(name, "linear") if source(name) in self.parts else "linear"

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
        if node.wrong:
            part = Part(node, None, shapes)
        else:
            part = self._same(node, shapes) if node.same_as else self._new(node, shapes)
        self.parts[node.name] = part
        made = [self._value(name, shape) for name, shape in part.outputs.items()]
        if part.module is not None:
            if all(part.module is not layer for layer in self.layers.values()):
                self.layers[node.name] = part.module
                self._begin(node, part.module)
            self.steps.append((part.module, tuple(numbers), tuple(made)))
            kind = node.kind or self.placed_kind(node.same_as)
            outputs = [shape for shape in part.outputs.values() if shape is not None]
            self.placed.append(Placed(node.name, kind, node.inputs, outputs, node.same_as, node.written()))

    def _begin(self, node: Node, module: nn.Module) -> None:
        """Weights from a file, and which of them train."""
        if node.trainable_from is not None and isinstance(module, Network):
            try:
                freeze_before(module, node.trainable_from, f"{node.path}.trainable_from")
            except ConfigError as error:
                self.problems += error.problems
        if not node.trainable:
            freeze(module)
        if node.weights is not None and isinstance(module, Network):
            files = self.library.get(node.kind).imagenet
            try:
                begin(module, node.weights, files, f"{node.path}.weights", self.sample)
            except ConfigError as error:
                self.problems += error.problems

    def placed_kind(self, name: str | None) -> str:
        """The kind of a node that was built."""
        return next(node.kind for node in self.placed if node.name == name)

    def _several(self, name: str, path: str) -> None:
        """`name` is no value: it is a block with several outputs, or one that it does not have."""
        first = source(name)
        there = [other for other in self.shapes if other.startswith(f"{first}.")]
        if there:
            message = f"'{name}' is none of the outputs of '{first}'"
            self.problems.append(Problem(path, message, f"it has: {', '.join(there)}"))
        elif self.shapes.get(first) is not None:
            self.problems.append(Problem(path, f"'{first}' has one output", f"say {first}"))

    def _activated(self, name: str) -> int:
        """The number of what a node gives to others."""
        last, shape = self.activation(name), self.shapes[name]
        if last == "linear" or shape is None:
            return self.numbers[name]
        key = f"{name.replace('.', ' ')} activated"  # with a blank, which no node has in its name
        if key not in self.numbers:
            layer = activation.build(shape, activation=last)  # type: ignore[arg-type]
            self.steps.append((layer, (self.numbers[name],), (self._value(key, shape),)))
            self.layers[key] = layer
        return self.numbers[key]

    def _new(self, node: Node, shapes: list[Shape]) -> Part:
        name = node.kind
        if name in self.inside:
            chain = " → ".join([*self.inside[self.inside.index(name) :], name])
            self.problems.append(Problem(node.path, f"block '{name}' is made of itself: {chain}"))
            return Part(node, None, shapes)
        if name in self.library.names():
            return self._block(node, shapes)
        for key, value in (("trainable_from", node.trainable_from), ("weights", node.weights)):
            if value is not None:
                hint = "a graph's weights as a whole are architecture.weights" if key == "weights" else ""
                self.problems.append(Problem(f"{node.path}.{key}", f"only a block has it, and '{name}' is none", hint))
        if name == "output":  # those of the architecture have become dense layers
            hint = "a block is used on any data: let {name: output} follow it in architecture.layers"
            self.problems.append(Problem(node.path, "a block has no targets, and no layer of {name: output}", hint))
            return Part(node, None, shapes)
        try:
            recipe = _making.recipe(node.described, node.path, self.library.names())
        except ConfigError as error:
            self.problems += error.problems
            return Part(node, None, shapes)
        last = recipe.last_activation if node.name in self.held_back else "linear"
        if last != "linear":
            recipe = recipe.without_activation()

        def make(node: Node, given: list[Shape], problems: list[Problem]) -> Made:
            module = self._module(node, replace(recipe, path=node.path), given, problems)
            return Made(module, {"": getattr(module, "output", None)}, {"": last})

        return Part(node, make(node, shapes, self.problems), shapes, make, recipe)

    def _module(self, node: Node, recipe: Recipe, shapes: list[Shape], problems: list[Problem]) -> nn.Module | None:
        known = [shape for shape in shapes if shape is not None]
        if len(known) < len(shapes) or not shapes:
            return None
        if len(known) > 1 and not recipe.merges:
            message = f"layer {recipe.name} reads one input, received {len(known)}: {', '.join(node.inputs)}"
            problems.append(Problem(node.path, message, "merge them before, by concatenate or add"))
            return None
        try:
            return recipe.build(known if recipe.merges else known[0])
        except ConfigError as error:
            problems += [self._explained(problem, node) for problem in error.problems]
        return None

    def _explained(self, problem: Problem, node: Node) -> Problem:
        """With what is likely the reason: a layer before it that gives its last step only."""
        for name in node.inputs:
            recipe = self.parts[name].recipe if name in self.parts else None
            if recipe is not None and recipe.value("return_sequences") is False and "steps" in problem.message:
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
            return Part(node, None, shapes)
        path = f"{block.path}.layers"
        found: list[Problem] = []
        nodes = read(layers, block.inputs, path, found)
        outputs = block.outputs or tuple(one.name for one in nodes[-1:])
        ends = {f".{name}" if len(outputs) > 1 else "": name for name in outputs}
        held_back = [name for end, name in ends.items() if node.name + end in self.held_back]
        nothing = Made(None, dict.fromkeys(ends), {})

        def make(node: Node, given: list[Shape], problems: list[Problem]) -> Made:
            if given and len(given) != len(block.inputs):
                wanted = f"block '{block.name}' reads {len(block.inputs)} inputs ({', '.join(block.inputs)})"
                hint = f"it reads: {', '.join(node.inputs)}"
                problems.append(Problem(node.path, f"{wanted}, received {len(given)}", hint))
                return nothing
            inputs = given or [None for _ in block.inputs]
            inner: list[Problem] = list(found)
            graph = Graph(self.library, path, inner, (*self.inside, block.name), held_back, self.sample)
            module, shapes = graph.build(nodes, dict(zip(block.inputs, inputs, strict=True)), list(ends.values()))
            placed = [Problem(p.path, p.message, f"{p.hint} (in '{node.name}')".strip()) for p in inner]
            problems += placed
            last = {end: graph.activation(name) for end, name in ends.items()}
            return nothing if inner else Made(module, dict(zip(ends, shapes, strict=True)), last)

        return Part(node, make(node, shapes, self.problems), shapes, make)

    def _same(self, node: Node, shapes: list[Shape]) -> Part:
        """Another node's weights on inputs of its own."""
        first = self.parts.get(str(node.same_as))
        if first is None or first.make is None or first.made is None:
            return Part(node, None, shapes)
        if first.module is None or None in shapes or shapes == first.inputs:
            return Part(node, first.made, shapes)
        found: list[Problem] = []
        with torch.device("meta"):
            again = first.make(node, shapes, found)
        if again.module is not None and weights(again.module) != weights(first.module):
            problem = "the weights of '{}' are for {}, received {}", "use a layer of its own, or inputs of one width"
        elif again.module is not None and weights(again.module) and settings(again.module) != settings(first.module):
            problem = "'{}' works along other axes for {}, received {}", "use a layer of its own, or inputs of one rank"
        else:
            # Without weights, a layer that was made for other sizes is another one.
            alike = again.module is None or settings(again.module) == settings(first.module)
            self.problems += found
            module = first.module if alike and again.module is not None else again.module
            return Part(node, replace(again, module=module), shapes)
        there, here = (" and ".join(map(str, given)) for given in (first.inputs, shapes))
        self.problems.append(Problem(node.path, problem[0].format(node.same_as, there, here), problem[1]))
        return Part(node, Made(None, dict.fromkeys(again.shapes), {}), shapes)
