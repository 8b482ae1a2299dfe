"""What hour is it? Clocks with two hands as pixels, as hands' tips or as angles (section 4.3.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch

from dlrun.contracts import Data, DataSpec, InputSpec, Rows, TargetSpec
from dlrun.datasets import _clock_face, _made, _numbers
from dlrun.datasets._files import Source
from dlrun.errors import DataError
from dlrun.types import Count

Features = Literal["pixels", "coordinates", "angles"]

LABELS = tuple(str(hour or 12) for hour in range(12))
INPUTS = {
    "pixels": InputSpec((_clock_face.SIDE, _clock_face.SIDE), divide_by=255.0),
    "coordinates": InputSpec((4,), names=("x1", "y1", "x2", "y2")),
    "angles": InputSpec((2,), divide_by=360.0, names=("theta1", "theta2")),
}


@dataclass
class Clock(_made.Made):
    """See contracts.Dataset. `clock`: pixels uint8 [N, 32, 32], coordinates float32 [N, 4] or angles float32 [N, 2]
    in degrees; `hour`: int64 [N], 0 for twelve to 11.

    Times are the same ones at the three levels, spread over the twelve hours with a gap between any two, so that no
    picture occurs twice (up to some 50,000 rows): `Data.extras["hours"]` has them by part, in hours after twelve,
    float64 [N].
    """

    source: Source
    features: Features
    n: int
    spec: DataSpec = field(init=False)

    def __post_init__(self) -> None:
        self.spec = DataSpec(
            inputs={"clock": INPUTS[self.features]},
            targets={"hour": TargetSpec("multiclass", classes=12, labels=LABELS)},
            rows={"train": self.n, "test": self.n},
        )

    def load(self) -> Data:
        """Makes all rows."""
        random = np.random.default_rng(_made.SEED)
        slots = random.permutation(2 * self.n) + random.uniform(0.25, 0.75, 2 * self.n)
        hours = dict(zip(("train", "test"), np.split(12 / len(slots) * slots, 2), strict=True))
        train, test = (
            Rows({"clock": self._at(_clock_face.tips(times))}, {"hour": torch.from_numpy(times.astype(np.int64))})
            for times in (hours["train"], hours["test"])
        )
        return Data(self.spec, train, test, source=self.resolve_source(), extras={"hours": hours})

    def encode(self, raw: str) -> Rows:
        """One row from a time such as `10:20`; coordinates and angles also as numbers, `0.7,0.7,0.5,0`."""
        names = self.spec.inputs["clock"].names
        if names and "," in raw:
            return Rows({"clock": _numbers.row(raw, names)}, {})
        time = re.fullmatch(r"\s*(\d{1,2}):([0-5]\d)\s*", raw, re.ASCII)
        if not time or int(time[1]) > 12:
            other = f", or {len(names)} numbers with commas between them: {', '.join(names)}" if names else ""
            raise DataError(f"expected a time from 0:00 to 12:59{other}; received {raw!r}")
        hours = np.array([int(time[1]) % 12 + int(time[2]) / 60])
        return Rows({"clock": self._at(_clock_face.tips(hours))}, {})

    def describe(self, data: Data, part: str, row: int) -> str:
        """The hour, and the whole time: `10 (10:20)`."""
        hour, rest = divmod(float(data.extras["hours"][part][row]), 1)
        label = LABELS[int(getattr(data, part).targets["hour"][row])]
        return f"{label} ({LABELS[int(hour)]}:{int(60 * rest):02d})"

    def _at(self, tips: np.ndarray) -> torch.Tensor:
        """Clocks with these hands' tips [N, 4] at the level that was asked for."""
        if self.features == "pixels":
            return torch.from_numpy(_clock_face.pixels(tips))
        values = tips if self.features == "coordinates" else _clock_face.angles(tips)
        return torch.from_numpy(values.astype(np.float32))


def build(*, features: Features = "pixels", n: Count = 2000, source: Source = "real") -> Clock:
    """Three levels of the same clocks: the better the features, the simpler the model that reads the hour.

    features: `pixels`, pictures of 32 x 32; `coordinates`, the tips x1, y1 of the long hand and x2, y2 of the short
    one in -1 to 1; `angles`, theta1 and theta2 of the hands in degrees, counter-clockwise from the x axis, as in
    figure 4-3. n: rows for training, and as many for the test.
    source: all give the same made rows, there is no other real thing; `sample` marks them as sample.
    """
    return Clock(source, features, n)
