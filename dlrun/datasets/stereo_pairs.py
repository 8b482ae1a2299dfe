"""Two pictures of one scene from cameras side by side, how far is the object? Made data (section 7.1.6)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
import torch
from pydantic import Field

from dlrun.contracts import Column, Data, DataSpec, InputSpec, Rows, TargetSpec
from dlrun.datasets import _drawing, _made, _named_inputs
from dlrun.datasets._files import Source
from dlrun.types import Count

LABELS = ("far", "middle", "near")
CAMERAS = {"left": 0.5, "right": -0.5}  # what each has of the disparity
STEP = 1 / 64  # of the width: pixels that the object moves from one picture to the other are whole such steps
STEPS = 3  # of each class: far 0 to 2, middle 3 to 5, near 6 to 8
NOISE = 6.0  # deviation in each colour of each pixel, of 255, another in each camera


@dataclass
class StereoPairs(_made.Made):
    """See contracts.Dataset. `left` and `right`: uint8 [N, size, size, 3]; `distance`: int64 [N].

    `Data.extras["disparity"]`: by part, float64 [N], how many pixels further to the right the left camera sees the
    object; the wall behind it is at the same place in both pictures.
    """

    source: Source
    n: int
    size: int
    spec: DataSpec = field(init=False)

    def __post_init__(self) -> None:
        picture = InputSpec((self.size, self.size, 3), divide_by=255.0)
        self.spec = DataSpec(
            inputs={"left": picture, "right": picture},
            targets={"distance": TargetSpec("multiclass", classes=3, labels=LABELS)},
            rows={"train": self.n, "test": self.n},
        )

    def load(self) -> Data:
        """Draws all pictures."""
        n = _made.rows_of(self.source, self.n)
        parts, disparity = {}, {}
        for part, random in _made.generators().items():
            parts[part], disparity[part] = self._rows(n, random)
        return Data(self.spec, parts["train"], parts["test"], self.resolve_source(), extras={"disparity": disparity})

    def encode(self, raw: str) -> Rows:
        """One row from `{"left": PATH, "right": PATH}`, two picture files."""
        return _named_inputs.row(raw, self.spec.inputs)

    def describe(self, data: Data, part: str, row: int) -> str:
        """Such as `near: 7.0 pixels apart`."""
        label = LABELS[int(getattr(data, part).targets["distance"][row])]
        return f"{label}: {data.extras['disparity'][part][row]:.1f} pixels apart"

    def _rows(self, n: int, random: np.random.Generator) -> tuple[Rows, np.ndarray]:
        steps = random.integers(0, len(LABELS) * STEPS, n)
        disparity = steps * STEP * self.size
        radius = random.uniform(0.12, 0.22, n) * self.size  # a large one may be far, and a small one near
        middle = random.uniform(0.15, 0.85, (n, 2)) * self.size
        paper, colour = _drawing.two_colours(random, n)
        phase, stripes = random.uniform(0, 2 * np.pi, n), random.uniform(2, 5, n)
        grain = _drawing.Grain(random, NOISE, self.size)
        across = np.arange(self.size) / self.size
        pictures = {name: np.empty((n, self.size, self.size, 3), np.uint8) for name in CAMERAS}
        for i in range(n):
            shade = 25 * np.sin(phase[i] + 2 * np.pi * stripes[i] * across)
            wall = (paper[i] + shade[:, None]).astype(np.float32)
            for name, side in CAMERAS.items():
                canvas = np.repeat(wall[None], self.size, 0)
                centre = middle[i, 0] + side * disparity[i], middle[i, 1]
                _drawing.paint(canvas, "circle", centre, radius[i], colour[i])
                pictures[name][i] = grain.developed(canvas)
        cameras: dict[str, Column] = {name: torch.from_numpy(picture) for name, picture in pictures.items()}
        return Rows(cameras, {"distance": torch.from_numpy(steps // STEPS)}), disparity


def build(*, n: Count = 200, size: Annotated[int, Field(ge=32)] = 250, source: Source = "real") -> StereoPairs:
    """A disc before a striped wall, in the left picture a few pixels further to the right than in the right one: the
    nearer, the more. Place and size of the disc have nothing to do with its distance, so one picture tells next to
    nothing.

    n: pairs for training, and as many for the test. size: pixels on each side; with the book's 250 a thousand pairs
    are 375 MB, so take smaller ones for more of them.
    source: there is no other real thing than the made rows; `sample` makes two hundred, marked as sample.
    """
    return StereoPairs(source, n, size)
