"""Pictures of simple shapes in colour with noise: made data for small convnets (sections 7.1.4 and 7.3.1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
import torch
from pydantic import Field

from dlrun.contracts import Data, DataSpec, InputSpec, Rows, TargetSpec
from dlrun.datasets import _drawing, _made, _named_inputs
from dlrun.datasets._files import Source
from dlrun.types import Count

NOISE = 24.0  # deviation in each colour of each pixel, of 255
TURN = np.deg2rad(12)  # at most, either way: a square must not become a diamond


@dataclass
class Shapes(_made.Made):
    """See contracts.Dataset. `image`: uint8 [N, size, size, 3]; `shape`: int64 [N], about as many of each class."""

    source: Source
    n: int
    size: int
    classes: int
    spec: DataSpec = field(init=False)

    def __post_init__(self) -> None:
        labels = tuple(_drawing.SHAPES)[: self.classes]
        self.spec = DataSpec(
            inputs={"image": InputSpec((self.size, self.size, 3), divide_by=255.0)},
            targets={"shape": TargetSpec("multiclass", classes=self.classes, labels=labels)},
            rows={"train": self.n, "test": self.n},
        )

    def load(self) -> Data:
        """Draws all pictures."""
        n = _made.rows_of(self.source, self.n)
        parts = {part: self._rows(n, random) for part, random in _made.generators().items()}
        return Data(self.spec, parts["train"], parts["test"], source=self.resolve_source())

    def encode(self, raw: str) -> Rows:
        """One row from the path of a picture file."""
        return _named_inputs.row(raw, self.spec.inputs)

    def describe(self, data: Data, part: str, row: int) -> str:
        """Such as `ring, 32 x 32 pixels`."""
        label = self.spec.targets["shape"].labels[int(getattr(data, part).targets["shape"][row])]
        return f"{label}, {self.size} x {self.size} pixels"

    def _rows(self, n: int, random: np.random.Generator) -> Rows:
        kinds = random.permutation(np.arange(n) % self.classes)
        radius = random.uniform(0.25, 0.42, n) * self.size
        room = np.stack([radius, self.size - radius])
        centre = random.uniform(room[0], room[1], (2, n)).T
        turn = random.uniform(-TURN, TURN, n)
        paper, colour = _drawing.two_colours(random, n)
        grain = _drawing.Grain(random, NOISE, self.size)
        image = np.empty((n, self.size, self.size, 3), np.uint8)
        labels = self.spec.targets["shape"].labels
        for i, kind in enumerate(kinds):
            canvas = np.full(image.shape[1:], paper[i], np.float32)
            _drawing.paint(canvas, labels[kind], (centre[i, 0], centre[i, 1]), radius[i], colour[i], turn[i])
            image[i] = grain.developed(canvas)
        return Rows({"image": torch.from_numpy(image)}, {"shape": torch.from_numpy(kinds)})


def build(
    *,
    n: Count = 2000,
    size: Annotated[int, Field(ge=12)] = 32,
    classes: Annotated[int, Field(ge=2, le=len(_drawing.SHAPES))] = 10,
    source: Source = "real",
) -> Shapes:
    """One shape a picture: any place, size and colours, a little turned. Its outline is all that tells its class.

    n: pictures for training, and as many for the test. size: pixels on each side. classes: of circle, square,
    triangle, ring, plus, diamond, cross, frame, crescent, hourglass the first so many.
    source: there is no other real thing than the made rows; `sample` makes two hundred, marked as sample.
    """
    return Shapes(source, n, size, classes)
