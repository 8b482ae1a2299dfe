"""The target of a table: which kind of problem it is, its classes, its values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from dlrun.contracts import TargetSpec
from dlrun.datasets._csv_columns import Column, Kind
from dlrun.datasets._csv_features import FEW
from dlrun.datasets._csv_file import CsvFile
from dlrun.datasets._csv_refusals import SHOWN, no_classes
from dlrun.errors import DataError

Wanted = Literal["auto", "binary", "multiclass", "regression"]

KINDS: dict[Wanted, Kind | None] = {
    "auto": None,
    "binary": "category",
    "multiclass": "category",
    "regression": "number",
}

MOST_NUMBERS = 20
"""Whole numbers that are classes, at most ..."""
MOST_SHARE = 0.05
"""... and this share of the rows: sizes and ratings are classes, ages and counts are not."""


LARGEST = 1e19
"""Of a regression target: a square beyond 3.4e38 is none in float32, and so would be the loss."""


@dataclass(frozen=True)
class Target:
    """name: of its column. numbers: the classes' values where they are numbers, sorted. why: this problem."""

    name: str
    spec: TargetSpec
    numbers: np.ndarray | None
    why: str

    def values(self, file: CsvFile, column: Column) -> np.ndarray:
        """[N]: float32 (binary, regression) or int64 (multiclass). Raises DataError at the first bad line."""
        if column.gap is not None:
            raise DataError(
                f"{file.line(column.gap)}: the target, column '{self.name}', has no value there. "
                f"Fill it in or delete the line"
            )
        if not self.spec.classes:
            large = np.flatnonzero(np.abs(column.values) > LARGEST)
            if len(large):
                raise DataError(
                    f"{file.line(int(large[0]))}: the target, column '{self.name}': expected numbers up to "
                    f"{LARGEST:g}, whose squares float32 can hold, received {column.values[large[0]]:g}. "
                    f"Divide the column"
                )
            return column.values.astype(np.float32)
        if self.numbers is not None:
            places = np.searchsorted(self.numbers, column.values).clip(max=len(self.numbers) - 1)
            strange = np.flatnonzero(self.numbers[places] != column.values)
        else:
            assert column.categories is not None
            known = {label: i for i, label in enumerate(self.spec.labels)}
            places = np.array([known.get(c, -1) for c in column.categories])[column.values]
            strange = np.flatnonzero(places < 0)
        if len(strange):
            shown = ", ".join(self.spec.labels[:12])
            raise DataError(
                f"{file.line(int(strange[0]))}: column '{self.name}' has a class that the table to train on "
                f"does not have: {shown}"
            )
        return places.astype(np.float32 if self.spec.problem == "binary" else np.int64)


def decide(
    file: CsvFile, name: str, column: Column, wanted: Wanted, normalize: Literal["no", "train", "pool"]
) -> Target:
    """What the values say where `wanted` is auto: texts are classes, two different values are, and so are a
    few whole numbers that each stand in many rows; all else is a regression. Raises DataError."""
    rows = len(column.values)
    if column.categories is not None:
        labels, numbers, why = column.categories, None, "its values are texts"
    else:
        numbers = np.unique(column.values[~column.missing])
        labels = tuple(str(int(v)) if v == int(v) else repr(float(v)) for v in numbers[: MOST_NUMBERS + 1])
        why = f"it has {len(numbers):,} different numbers"
    found = len(labels) if numbers is None else len(numbers)
    if found < 2:
        only = f"one value only, '{labels[0]}'" if found else "no value at all"
        raise DataError(f"{file.named}: the target, column '{name}', has {only}: there is nothing to learn")
    problem = wanted
    if wanted == "auto":
        problem = "regression" if numbers is not None and not _are_classes(numbers, rows) else _by_count(found)
    else:
        why = f"dataset.problem={wanted}"
    if problem == "regression":
        return Target(name, TargetSpec("regression", standardize=normalize), None, why)
    if found >= FEW and found > rows / 2:
        raise DataError(
            f"{file.named}: the target, column '{name}', has {found:,} different values in {rows:,} rows: "
            f"{no_classes(labels[:SHOWN])}"
        )
    if problem == "binary" and found != 2:
        shown = ", ".join(labels[:12])
        raise DataError(
            f"{file.named}: dataset.problem=binary expects 2 classes, column '{name}' has {found:,}: {shown}. "
            f"Set dataset.problem=multiclass{', or regression to predict a number' if column.share == 1 else ''}"
        )
    return Target(name, TargetSpec(_by_count(found) if wanted == "auto" else wanted, found, (), labels), numbers, why)


def _by_count(classes: int) -> Literal["binary", "multiclass"]:
    return "binary" if classes == 2 else "multiclass"


def _are_classes(numbers: np.ndarray, rows: int) -> bool:
    whole = bool(np.all(numbers == np.floor(numbers)))
    return len(numbers) == 2 or (whole and len(numbers) <= min(MOST_NUMBERS, MOST_SHARE * rows))
