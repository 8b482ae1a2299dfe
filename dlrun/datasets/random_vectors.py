"""Vectors of random numbers with random targets: shapes to try a model on, nothing to learn (section 7.1.1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
import torch
from pydantic import Field

from dlrun.contracts import Data, DataSpec, InputSpec, Rows, TargetSpec
from dlrun.datasets import _made, _named_inputs
from dlrun.datasets._files import Source
from dlrun.types import Count


@dataclass
class RandomVectors(_made.Made):
    """See contracts.Dataset. `x`: float32 [N, width]; `y`: float32 [N, classes]; all even in 0 to 1.

    The targets are weights of the classes, as many between 0 and 1 as there are, and sum to `classes` / 2 on average.
    So the best loss is that of a constant, which for ten classes is about 5 ln 10 = 11.5.
    """

    source: Source
    n: int
    width: int
    classes: int
    spec: DataSpec = field(init=False)

    def __post_init__(self) -> None:
        self.spec = DataSpec(
            inputs={"x": InputSpec((self.width,))},
            targets={"y": TargetSpec("multiclass", classes=self.classes, shape=(self.classes,))},
            rows={"train": self.n, "test": self.n},
        )

    def load(self) -> Data:
        """Makes all rows."""
        n = _made.rows_of(self.source, self.n)
        parts = {part: self._rows(n, random) for part, random in _made.generators().items()}
        return Data(self.spec, parts["train"], parts["test"], source=self.resolve_source())

    def encode(self, raw: str) -> Rows:
        """One row from a list of numbers, `[0.1, 0.2, …]`."""
        return _named_inputs.row(raw, self.spec.inputs)

    def describe(self, data: Data, part: str, row: int) -> str:
        """The first numbers: `0.62 0.10 0.55 … to 0.31 0.95 0.02 …`."""
        rows: Rows = getattr(data, part)
        x = rows.inputs["x"]
        assert isinstance(x, torch.Tensor)
        return f"{_first(x[row])} to {_first(rows.targets['y'][row])}"

    def _rows(self, n: int, random: np.random.Generator) -> Rows:
        x, y = (torch.from_numpy(random.random((n, w), dtype=np.float32)) for w in (self.width, self.classes))
        return Rows({"x": x}, {"y": y})


def _first(values: torch.Tensor) -> str:
    shown = " ".join(f"{float(v):.2f}" for v in values[:3])
    return f"{shown} …" if len(values) > 3 else shown


def build(
    *, n: Count = 1000, width: Count = 64, classes: Annotated[int, Field(ge=2)] = 10, source: Source = "real"
) -> RandomVectors:
    """The book's 1,000 vectors of 64 numbers with 10 numbers each as targets: soft targets of a softmax, taken as
    they are. No model can do better on new rows than the same answer for all.

    n: rows for training, and as many for the test. width: numbers in a vector. classes: numbers in a target.
    source: there is no other real thing than the made rows; `sample` makes two hundred, marked as sample.
    """
    return RandomVectors(source, n, width, classes)
