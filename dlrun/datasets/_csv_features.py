"""From the columns of a table to one row of numbers, and back to something readable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dlrun.datasets._csv_columns import Column, Kind
from dlrun.datasets._csv_file import CsvFile
from dlrun.datasets._csv_refusals import too_many
from dlrun.errors import DataError

Missing = Literal["mean", "zero", "error"]

MOST_CATEGORIES = 100

FEW = 20
"""Fewer different texts than these are categories, in however few rows."""

RANKED = 10_000
"""Rows, evenly spread over the table, that a rank correlation is taken of."""


@dataclass(frozen=True)
class Feature:
    """An input column. categories: None for numbers, which take one place in a row; else one place each."""

    name: str
    categories: tuple[str, ...] | None

    @property
    def kind(self) -> Kind:
        """How its column is read."""
        return "number" if self.categories is None else "category"

    @property
    def names(self) -> tuple[str, ...]:
        """Of its places in a row."""
        return (self.name,) if self.categories is None else tuple(f"{self.name}={c}" for c in self.categories)

    def fill(self, out: np.ndarray, column: Column, missing: Missing) -> int:
        """Write N rows into `out`, zeros [N, places]. A number that is missing stays NaN, or 0 with `zero`; a
        category that is missing, or not known, has 0 everywhere. Returns how many rows had an unknown one."""
        if self.categories is None:
            out[:, 0] = np.nan_to_num(column.values, nan=0.0) if missing == "zero" else column.values
            return 0
        assert column.categories is not None
        known = {category: i for i, category in enumerate(self.categories)}
        places = np.array([known.get(c, -1) for c in (*column.categories, "")])[column.values]
        places[column.missing] = -1
        rows = np.flatnonzero(places >= 0)
        out[rows, places[rows]] = 1.0
        return int(np.sum((places < 0) & ~column.missing))

    def read(self, values: np.ndarray) -> str:
        """Its places [P] as a person would write them; `?` for a missing value."""
        if self.categories is None:
            return "?" if np.isnan(values[0]) else f"{values[0]:g}"
        return self.categories[int(values.argmax())] if values.any() else "?"


def choose(
    file: CsvFile, columns: dict[str, Column], categorical: Sequence[str], missing: Missing, normalized: bool
) -> tuple[list[Feature], list[str]]:
    """The features, and what there is to warn of: columns that never vary are left out. Raises DataError."""
    features, warnings = [], []
    for name, column in columns.items():
        if column.gap is not None and missing == "error":
            raise DataError(
                f"{file.line(column.gap)}: column '{name}' has no value there, and dataset.missing=error. Fill it in, "
                f"or set dataset.missing=mean or zero"
            )
        if _constant(column, missing):
            what = "has no value in any row" if column.missing.all() else "has the same value in all rows"
            warnings.append(f"column '{name}' {what} and is left out ('dataset.drop=[{name}]' says so yourself)")
            continue
        if column.gap is not None and column.categories is None and missing == "mean" and not normalized:
            raise DataError(
                f"{file.line(column.gap)}: column '{name}' has no value there, and with dataset.normalize=no nothing "
                f"puts the mean in its place. Set dataset.missing=zero, or dataset.normalize=train"
            )
        if column.categories is not None and name not in categorical:
            _refuse_text(file, name, column)
        features.append(Feature(name, column.categories))
    if not features:
        raise DataError(f"{file.named}: no input is left: {'; '.join(warnings) or 'there is only the target'}")
    return features, [f"{file.named}: {warning}" for warning in warnings]


def leaks(file: CsvFile, columns: dict[str, Column], target: str, values: np.ndarray, classes: int) -> list[str]:
    """A sentence for each column that tells the target under another name. values: [N], of the target."""
    found = []
    for name, column in columns.items():
        why = "" if len(values) < 10 else _tells(column, values, classes)
        if why:
            found.append(
                f"{file.named}: column '{name}' gives the target '{target}' away: {why}. Where it is not known before "
                f"the target is, leave it out: 'dataset.drop=[{name}]'"
            )
    return found


def _tells(column: Column, values: np.ndarray, classes: int) -> str:
    x, y = column.values[~column.missing], values[~column.missing]
    if len(x) < 10:
        return ""
    if column.categories is None and classes <= 2:
        if abs(r := _correlation(x, y)) > 0.9999:
            return f"their correlation is {r:.6f}"
        few = slice(None, None, -(-len(x) // RANKED))
        r = 0.0 if classes else _correlation(_ranks(x[few]), _ranks(y[few]))
        return f"their rank correlation is {r:.6f}, one rises or falls with the other" if abs(r) > 0.9999 else ""
    if not classes:
        return ""
    different, codes = np.unique(x, return_inverse=True)
    pairs = len(np.unique(codes * classes + y.astype(np.int64))) if len(different) == classes else 0
    one_to_one = pairs == classes == len(np.unique(y)) and len(x) > classes
    return f"each of its {classes} values stands for one class" if one_to_one else ""


def _correlation(x: np.ndarray, y: np.ndarray) -> float:
    dx, dy = x - x.mean(dtype=np.float64), y - y.mean(dtype=np.float64)
    scale = np.sqrt(dx @ dx) * np.sqrt(dy @ dy)
    return float(dx @ dy / scale) if scale else 0.0


def _ranks(values: np.ndarray) -> np.ndarray:
    """The place of each value among the sorted ones; equal values share the middle of theirs."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - counts / 2)[places]


def _constant(column: Column, missing: Missing) -> bool:
    if column.categories is not None:
        return len(column.categories) + (column.gap is not None) < 2
    there = column.values if column.gap is None else column.values[~column.missing]
    varies = len(there) and there.min() != there.max()
    return not varies and (column.gap is None or missing == "mean" or not there.any())


def _refuse_text(file: CsvFile, name: str, column: Column) -> None:
    assert column.categories is not None
    different, rows = len(column.categories), len(column.values)
    if different > MOST_CATEGORIES or (different >= FEW and different > rows / 2):
        raise DataError(too_many(file.named, name, f"{different:,} (in {rows:,} rows)", column.categories))
