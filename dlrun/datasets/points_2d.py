"""Points in the plane of two classes, apart once the axes are turned and moved (section 1.1.3)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
import torch
from pydantic import Field, FiniteFloat

from dlrun.contracts import Data, DataSpec, InputSpec, Rows, TargetSpec
from dlrun.datasets import _made, _numbers
from dlrun.datasets._files import Source
from dlrun.types import Count, Rate

LABELS = ("white", "black")
AXES = ("x", "y")
Shift = Annotated[float, Field(gt=-1, lt=1)]
"""A distance within the square of the points, so that both classes occur."""


@dataclass
class Points2d(_made.Made):
    """See contracts.Dataset. `point`: float32 [N, 2], even in the square of -1 to 1; `colour`: float32 [N],
    1 is black."""

    source: Source
    n: int
    angle: float
    shift: float
    noise: float
    spec: DataSpec = field(init=False)

    def __post_init__(self) -> None:
        self.spec = DataSpec(
            inputs={"point": InputSpec(shape=(2,), names=AXES)},
            targets={"colour": TargetSpec("binary", classes=2, labels=LABELS)},
            rows={"train": self.n, "test": self.n},
        )

    def load(self) -> Data:
        """Makes all rows."""
        parts = {part: self._rows(random) for part, random in _made.generators().items()}
        return Data(self.spec, parts["train"], parts["test"], source=self.resolve_source())

    def encode(self, raw: str) -> Rows:
        """One row from `x,y`."""
        return Rows({"point": _numbers.row(raw, AXES)}, {})

    def describe(self, data: Data, part: str, row: int) -> str:
        """Such as `black at (0.31, -0.77)`."""
        rows: Rows = getattr(data, part)
        point = rows.inputs["point"]
        assert isinstance(point, torch.Tensor)
        x, y = point[row].tolist()
        return f"{LABELS[int(rows.targets['colour'][row])]} at ({x:.2f}, {y:.2f})"

    def _rows(self, random: np.random.Generator) -> Rows:
        points = random.uniform(-1, 1, (self.n, 2))
        black = change_axes(points, self.angle, self.shift)[:, 0] > 0
        black ^= random.random(self.n) < self.noise
        return Rows(
            {"point": torch.from_numpy(points.astype(np.float32))},
            {"colour": torch.from_numpy(black.astype(np.float32))},
        )


def change_axes(points: np.ndarray, angle: float, shift: float) -> np.ndarray:
    """Coordinates [N, 2] of `points` [N, 2] on axes turned counter-clockwise by `angle` degrees, their origin then
    moved by `shift` along the new x axis (figure 1-4)."""
    turn = np.deg2rad(angle)
    axes = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return np.asarray(points @ axes - [shift, 0])


def build(
    *, n: Count = 500, angle: FiniteFloat = 45.0, shift: Shift = 0.2, noise: Rate = 0.0, source: Source = "real"
) -> Points2d:
    """A point is black where its first coordinate on the changed axes is above 0. One rule on the right axes is all
    there is to learn.

    n: rows for training, and as many for the test. angle: degrees that the axes must be turned counter-clockwise.
    shift: how far the origin must then be moved along the new x axis. noise: share of points of the wrong colour.
    source: all give the same made rows, there is no other real thing; `sample` marks them as sample.
    """
    return Points2d(source, n, angle, shift, noise)
