"""Points along a line, with noise: made data for gradient descent on two weights (section 2.4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
import torch
from pydantic import Field, FiniteFloat

from dlrun.contracts import Data, DataSpec, InputSpec, Rows, TargetSpec
from dlrun.datasets import _made, _numbers
from dlrun.datasets._files import Source
from dlrun.types import Count

Noise = Annotated[float, Field(ge=0, allow_inf_nan=False)]
"""A standard deviation."""


@dataclass
class Line(_made.Made):
    """See contracts.Dataset. `x`: float32 [N, 1], even in -1 to 1; `y`: float32 [N]."""

    source: Source
    n: int
    slope: float
    intercept: float
    noise: float
    spec: DataSpec = field(init=False)

    def __post_init__(self) -> None:
        self.spec = DataSpec(
            inputs={"x": InputSpec(shape=(1,), names=("x",))},
            targets={"y": TargetSpec("regression")},
            rows={"train": self.n, "test": self.n},
        )

    def load(self) -> Data:
        """Makes all rows."""
        parts = {part: self._rows(random) for part, random in _made.generators().items()}
        return Data(self.spec, parts["train"], parts["test"], source=self.resolve_source())

    def encode(self, raw: str) -> Rows:
        """One row from a number."""
        return Rows({"x": _numbers.row(raw, ("x",))}, {})

    def describe(self, data: Data, part: str, row: int) -> str:
        """Such as `y 0.62 at x -0.19`."""
        rows: Rows = getattr(data, part)
        x = rows.inputs["x"]
        assert isinstance(x, torch.Tensor)
        return f"y {float(rows.targets['y'][row]):.2f} at x {float(x[row, 0]):.2f}"

    def _rows(self, random: np.random.Generator) -> Rows:
        x = random.uniform(-1, 1, self.n)
        y = self.slope * x + self.intercept + self.noise * random.standard_normal(self.n)
        return Rows(
            {"x": torch.from_numpy(x[:, None].astype(np.float32))}, {"y": torch.from_numpy(y.astype(np.float32))}
        )


def build(
    *,
    n: Count = 256,
    slope: FiniteFloat = 2.0,
    intercept: FiniteFloat = 1.0,
    noise: Noise = 0.1,
    source: Source = "real",
) -> Line:
    """y = slope x + intercept + noise, so the weights that gradient descent should find are known, and the mean
    squared error that is left is near noise².

    n: rows for training, and as many for the test. noise: standard deviation.
    source: all give the same made rows, there is no other real thing; `sample` marks them as sample.
    """
    return Line(source, n, slope, intercept, noise)
