"""A graph as a table, as Keras's `summary` has it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from torch import Tensor, nn

from dlrun.graphs.network import Network
from dlrun.layers._spec import TensorSpec


class Line(NamedTuple):
    """One layer. path: its name, with those of the blocks that it is in. shape: of its outputs, the batch axis as None.
    trainable, frozen: numbers in it; what batch normalization counts is frozen, as in Keras. reads: by name."""

    path: str
    kind: str
    shape: str
    trainable: int
    frozen: int
    reads: str


def lines(model: nn.Module, nested: bool = False, path: str = "") -> Iterator[Line]:
    """All layers of a model in their order. nested: the layers of blocks, too. A model that is no graph has no names
    for what its layers read."""
    if isinstance(model, Network):
        yield from _of_graph(model, nested, path)
        return
    for name, module in model.named_children():
        inner = f"{path}{name}"
        output = getattr(module, "output", None)
        if isinstance(output, TensorSpec):
            yield Line(inner, type(module).__name__, shape(output), *counts(module), "")
        else:
            yield from lines(module, nested, f"{inner}.")


def _of_graph(graph: Network, nested: bool, path: str) -> Iterator[Line]:
    if not path:
        for name, given in graph.inputs.items():
            yield Line(name, "input", shape(given), 0, 0, "")
    for node in graph.nodes:
        module = graph.get_submodule(node.same_as or node.name)
        kind = f"{node.kind}, as {node.same_as}" if node.same_as else node.kind
        numbers = (0, 0) if node.same_as else counts(module)
        yield Line(path + node.name, kind, " ".join(map(shape, node.outputs)), *numbers, ", ".join(node.reads))
        if nested and isinstance(module, Network) and not node.same_as:
            yield from _of_graph(module, nested, f"{path}{node.name}.")


def counts(module: nn.Module) -> tuple[int, int]:
    """Trainable and frozen numbers of a model or layer, each once."""
    tensors: list[Tensor] = [*module.parameters(), *(b for b in module.buffers() if b.is_floating_point())]
    trainable = sum(t.numel() for t in tensors if t.requires_grad)
    return trainable, sum(t.numel() for t in tensors) - trainable


def trained(module: nn.Module) -> dict[str, nn.Parameter]:
    """The tensors that train, by name."""
    return {name: weight for name, weight in module.named_parameters() if weight.requires_grad}


def shape(output: TensorSpec) -> str:
    """`(None, 26, 26, 32)`."""
    return str((None, *output.shape))


def network_of(model: nn.Module) -> Network | None:
    """The graph in a model, which may be wrapped in what prepares its inputs."""
    return next((module for module in model.modules() if isinstance(module, Network)), None)
