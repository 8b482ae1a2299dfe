"""House prices near Boston: 404 + 102 districts of the 1970s (section 3.6). Its column B is racial: see below.

B is 1000 (b - 0.63)², b the share of Black residents. The table's authors assumed that racial segregation moves
prices, and the formula was never justified; Keras advises against the table and scikit-learn removed it. It is here
because the book's figures rest on it. Draw no conclusion about people or prices from it.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch

from dlrun.contracts import Data, DataSpec, InputSpec, Rows, TargetSpec
from dlrun.datasets import _boston_sample, _numbers
from dlrun.datasets._files import File, Source, checksum, fetch, read_verified, resolve
from dlrun.datasets._texts import SEED

TEST_SHARE = 0.2

PACKED = File(
    "boston_housing",
    "boston_housing.npz",
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/boston_housing.npz",
    (
        "f553886a1f8d56431e820c5b82552d9d95cfcb96d1e678153f8839538947dff5",  # the official file
        "82a56696c52d37edbd6bd0ac29db20fd58f42ae097e029ec7adb32950630f70a",  # the same values, other time stamps
    ),
    57_026,
)
FILES = (PACKED,)

COLUMNS = ("CRIM", "ZN", "INDUS", "CHAS", "NOX", "RM", "AGE", "DIS", "RAD", "TAX", "PTRATIO", "B", "LSTAT")


@dataclass
class BostonHousing:
    """See contracts.Dataset. `features`: float32 [N, 13], raw; `price`: float32 [N], the median of a district."""

    source: Source
    normalize: Literal["pool", "train", "no"]
    spec: DataSpec = field(init=False)
    _resolved: Literal["real", "sample"] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.spec = DataSpec(
            inputs={"features": InputSpec(shape=(len(COLUMNS),), standardize=self.normalize, names=COLUMNS)},
            targets={"price": TargetSpec("regression", unit="k$")},
            rows={"train": 404, "test": 102},
        )

    def resolve_source(self) -> Literal["real", "sample"]:
        """Real, or sample where that was asked for or `auto` found no file."""
        if self._resolved is None:
            self._resolved = resolve(self.source, "boston_housing", lambda: fetch(PACKED))
        return self._resolved

    def load(self) -> Data:
        """All districts, cut as Keras's `boston_housing.load_data` cuts them. Raises DataError."""
        source = self.resolve_source()
        if source == "sample":
            (features, prices), checksums = _boston_sample.make(), {}
        else:
            with np.load(io.BytesIO(read_verified(PACKED)), allow_pickle=False) as arrays:
                features, prices = arrays["x"], arrays["y"]
            checksums = {PACKED.name: checksum(PACKED.path)}
        order = np.arange(len(features))
        np.random.RandomState(SEED).shuffle(order)
        cut = int(len(order) * (1 - TEST_SHARE))
        train, test = (
            Rows(
                {"features": torch.from_numpy(features[rows].astype(np.float32))},
                {"price": torch.from_numpy(prices[rows].astype(np.float32))},
            )
            for rows in (order[:cut], order[cut:])
        )
        return Data(self.spec, train, test, source=source, checksums=checksums)

    def encode(self, raw: str) -> Rows:
        """One row from 13 numbers with commas between them, in the order of `COLUMNS`."""
        return Rows({"features": _numbers.row(raw, COLUMNS)}, {})

    def describe(self, data: Data, part: str, row: int) -> str:
        """The price, and every column with its name."""
        rows: Rows = getattr(data, part)
        features = rows.inputs["features"]
        assert isinstance(features, torch.Tensor)
        named = ", ".join(f"{name} {value:g}" for name, value in zip(COLUMNS, features[row].tolist(), strict=True))
        return f"{float(rows.targets['price'][row]):.1f} k$: {named}"


def build(*, source: Source = "real", normalize: Literal["pool", "train", "no"] = "pool") -> BostonHousing:
    """The districts as Keras's `boston_housing.load_data` gives them, with the racial column B (see above).

    source: `real`, `sample` (404 + 102 districts made here) or `auto` (real where it can be had).
    normalize: each column minus its mean, divided by its standard deviation, as the model's first layer. `pool` takes
    both from all 404 rows, the book's way: with K-fold the rows of a fold's validation part take part, a small leak.
    `train` takes them from the training rows of each split; `no` leaves the columns as they are.
    """
    return BostonHousing(source, normalize)
