"""A graph of layers as a module."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from dlrun.layers._spec import TensorSpec

Step = tuple[nn.Module, tuple[int, ...], tuple[int, ...], tuple[int, ...]]


class Network(nn.Module):
    """Layers by name, run one after another. outputs: what comes out, in order.

    A value has a number: first the inputs', then those of each step, in order. plan: which layer reads which numbers,
    makes which, and which are not needed after it.
    """

    def __init__(
        self, layers: dict[str, nn.Module], plan: list[Step], results: Sequence[int], outputs: list[TensorSpec]
    ):
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)
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
