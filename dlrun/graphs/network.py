"""A graph of layers as a module."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from torch import nn

from dlrun.layers._spec import TensorSpec


class Placed(NamedTuple):
    """A node as a reader knows it. kind: name of the layer or block. reads: nodes and inputs. same_as: the node whose
    weights it has. written: as YAML has it, with nothing left out."""

    name: str
    kind: str
    reads: tuple[str, ...]
    outputs: list[TensorSpec]
    same_as: str | None
    written: dict[str, Any]


Step = tuple[nn.Module, tuple[int, ...], tuple[int, ...], tuple[int, ...]]


class Network(nn.Module):
    """Layers by name, run one after another. inputs, outputs: what goes in and what comes out, by name.

    A value has a number: first the inputs', then those of each step, in order. plan: which layer reads which numbers,
    makes which, and which are not needed after it. nodes: in the same order, for those who want to read it.
    """

    def __init__(
        self,
        inputs: dict[str, TensorSpec],
        nodes: list[Placed],
        layers: dict[str, nn.Module],
        plan: list[Step],
        results: Sequence[int],
        outputs: dict[str, TensorSpec],
    ):
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)
        self.inputs, self.nodes = inputs, nodes
        self._plan, self._results = plan, tuple(results)
        self._size = 1 + max([*self._results, *(n for step in plan for n in (*step[1], *step[2]))])
        self.outputs = outputs

    def forward(self, *inputs: Any) -> Any:
        """One argument per input; returns the only output, or a tuple of them."""
        values: list[Any] = [*inputs, *(None for _ in range(self._size - len(inputs)))]
        for layer, read, made, spent in self._plan:
            made_now = layer(values[read[0]]) if len(read) == 1 else layer(*[values[i] for i in read])
            if len(made) == 1:
                values[made[0]] = made_now
            else:
                for i, value in zip(made, made_now, strict=True):
                    values[i] = value
            for i in spent:
                values[i] = None
        results = self._results
        return values[results[0]] if len(results) == 1 else tuple(values[i] for i in results)

    def bottlenecks(self) -> list[Placed]:
        """The layers that everything passes through, those that give an output left out."""
        names = {layer: name for name, layer in self.named_children()}
        through, live = set(), set[int]()
        for layer, read, made, spent in self._plan:
            live = (live | set(read) | set(made)) - set(spent)
            if live == set(made) and len(made) == 1 and made[0] not in self._results:
                through.add(names.get(layer))
        return [node for node in self.nodes if node.name in through]


def planned(
    steps: list[tuple[nn.Module, tuple[int, ...], tuple[int, ...]]], results: Sequence[int], inputs: int
) -> list[Step]:
    """The steps with what is spent after each: values that nobody reads any more need no memory in evaluation."""
    last = dict.fromkeys(range(inputs), -1)
    for at, (_, read, made) in enumerate(steps):
        last |= dict.fromkeys(made, at) | dict.fromkeys(read, at)
    spent: list[list[int]] = [[] for _ in steps]
    for value, at in last.items():
        if value not in results and at >= 0:
            spent[at].append(value)
    return [(*step, tuple(s)) for step, s in zip(steps, spent, strict=True)]
