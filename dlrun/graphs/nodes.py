"""The `layers` of a graph as they are written, with what may be left out filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from dlrun.errors import Problem, nearest

KEYS = {"inputs": str | list, "same_as": str, "trainable": bool, "trainable_from": str | int, "weights": str}
"""What any node may say beside its layer's arguments; the last two where it is a block."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_]*")
TAKEN = {*dir(nn.Module()), "inputs", "outputs", "targets", "ends", "nodes", "output_activations", "bottlenecks",
         "fingerprint", "mixes_rows", "penalty", "settings", "stacked_beside"}  # fmt: skip
"""Names that the module needs for itself, or by which it would be asked what only layers answer."""


@dataclass(frozen=True)
class Node:
    """One layer or block in a graph.

    described: its name and arguments; empty where it has those of another node. inputs: what it reads, each a node, an
    input, or `block.node` for one of several outputs of a block. same_as: the node whose weights it has.
    trainable_from: the layer of a block before which nothing trains. weights: a file that a block's weights begin
    with, or `imagenet`. path: where it stands, for messages. wrong: it can't be read, which has been said; its name
    is known all the same.
    """

    name: str
    path: str
    described: dict[str, Any]
    inputs: tuple[str, ...]
    same_as: str | None = None
    trainable: bool = True
    trainable_from: str | None = None
    weights: str | None = None
    wrong: bool = False

    @property
    def kind(self) -> str:
        """Name of the layer or block, or nothing where it is another node's."""
        return str(self.described.get("name", ""))

    def written(self) -> dict[str, Any]:
        """As YAML has it, with what it reads."""
        reads = self.inputs[0] if len(self.inputs) == 1 else list(self.inputs)
        own = {"same_as": self.same_as} if self.same_as else self.described
        said = {"trainable_from": self.trainable_from, "weights": self.weights}
        frozen = {} if self.trainable else {"trainable": False}
        return {**own, "inputs": reads} | frozen | {key: value for key, value in said.items() if value}


def read(layers: Any, inputs: Sequence[str], path: str, problems: list[Problem]) -> list[Node]:
    """All nodes in the order written; what can't be read is marked as wrong and added to `problems`.

    layers: a mapping from names to layers, or a list of layers, which are then called by their kind and a number. A
    layer without arguments may be its name alone. What says no `inputs` reads the node before it, the first one the
    graph's only input.
    """
    if not layers:
        problems.append(
            Problem(path, "expected layers, received none", "such as [{name: dense, units: 32}, {name: output}]")
        )
        return []
    if isinstance(layers, Mapping):
        written = [(str(name), f"{path}.{name}", one) for name, one in layers.items()]
    elif isinstance(layers, list):
        written = [(name, f"{path}.{i}", one) for i, (name, one) in enumerate(numbered(layers).items())]
    else:
        problems.append(Problem(path, f"expected a list or a mapping of layers, received {layers!r}"))
        return []
    nodes: list[Node] = []
    before: str | None = inputs[0] if len(inputs) == 1 else None
    for name, where, one in written:
        found: list[Problem] = []
        node = _node(name, where, {"name": one} if isinstance(one, str) else one, before, inputs, found)
        nodes.append(Node(name, where, {}, (), wrong=True) if node is None else node)
        problems += found
        before = name
    return nodes


def numbered(layers: list[Any]) -> dict[str, Any]:
    """`dense_1`, `dense_2`, … as in the book's summaries."""
    counts: dict[str, int] = {}
    named = {}
    for one in layers:
        kind = str(one if isinstance(one, str) else one.get("name", "layer") if isinstance(one, Mapping) else "layer")
        kind = kind if NAME.fullmatch(kind) else "layer"  # what is wrong with it is said where it is looked up
        counts[kind] = counts.get(kind, 0) + 1
        named[f"{kind}_{counts[kind]}"] = one
    return named


def _node(
    name: str, path: str, one: Any, before: str | None, inputs: Sequence[str], problems: list[Problem]
) -> Node | None:
    if not isinstance(one, Mapping):
        problems.append(Problem(path, f"expected a layer such as {{name: dense, units: 32}}, received {one!r}"))
        return None
    if not NAME.fullmatch(name) or name in TAKEN:
        hint = "letters, digits and _ only; not a word of torch's or of ours"
        problems.append(Problem(path, f"a layer can't be called '{name}'", hint))
        return None
    if name in inputs:
        problems.append(Problem(path, f"'{name}' is the name of an input, too", "call the layer something else"))
        return None
    given = {str(key): value for key, value in one.items()}
    own = {key: given.pop(key) for key in KEYS if key in given}
    wrong = [
        Problem(f"{path}.{key}", f"expected {EXPECTED[key]}, received {value!r}")
        for key, value in own.items()
        if not isinstance(value, KEYS[key]) or (isinstance(value, list) and not all(isinstance(v, str) for v in value))
    ]
    extra = ", ".join([*given, *(key for key in own if key not in ("inputs", "same_as"))])
    if "same_as" in own and extra:
        wrong.append(Problem(path, f"a layer that is the same as '{own['same_as']}' has no more of its own: {extra}"))
    if own.get("trainable") is False and "trainable_from" in own:
        wrong.append(Problem(f"{path}.trainable", "false, and trainable_from says where it trains", "leave one out"))
    read = own.get("inputs", before)
    if read is None:
        there = ", ".join(inputs)
        wrong.append(Problem(path, f"it is the first, and there are several inputs: {there}", "say inputs: …"))
    elif not read:
        wrong.append(Problem(f"{path}.inputs", "expected names, received none"))
    problems += wrong
    if wrong:
        return None
    sources = (read,) if isinstance(read, str) else tuple(read or ())
    first = str(own["trainable_from"]) if "trainable_from" in own else None  # a layer may be called 12
    return Node(name, path, given, sources, own.get("same_as"), own.get("trainable", True), first, own.get("weights"))


EXPECTED = {
    "inputs": "a name or a list of names",
    "same_as": "the name of a node",
    "trainable": "true or false",
    "trainable_from": "the name of one of the block's layers",
    "weights": "a file of weights, or imagenet",
}


def unknown(reference: str, known: Sequence[str], path: str, what: str = "layer or input") -> Problem:
    """A name that no node has."""
    there = ", ".join(known)
    return Problem(
        path, f"no {what} is called '{reference}'", f"{nearest(reference, known)} there are: {there}".strip()
    )
