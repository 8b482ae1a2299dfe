"""One column of a table while its rows stream by: numbers, categories or times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, Protocol

import numpy as np

from dlrun.datasets._csv_file import MISSING, number
from dlrun.datasets._csv_refusals import too_many
from dlrun.errors import DataError

Kind = Literal["number", "category", "time"]

MOSTLY = 0.9
"""A column is one of numbers where this share of its values, or more, are numbers."""

SURELY_TEXT = 10_000
"""Different values after which a column of categories is not read on."""


@dataclass(frozen=True)
class Column:
    """A column as read.

    values: float [N], NaN where missing; or int32 [N], the number of the category, -1 where missing.
    categories: their names; None for numbers. wrong: row and text of the first value that is neither a number
    nor missing. gap: the first row without a value. share: of the values that are numbers.
    """

    values: np.ndarray
    categories: tuple[str, ...] | None = None
    wrong: tuple[int, str] | None = None
    gap: int | None = None
    share: float = 1.0

    @property
    def missing(self) -> np.ndarray:
        """Bool [N]."""
        return np.isnan(self.values) if self.categories is None else self.values < 0


class Reader(Protocol):
    """Takes the texts of a column, chunk by chunk."""

    def add(self, texts: Sequence[str]) -> None:
        """The next rows."""
        ...

    def column(self) -> Column:
        """All rows."""
        ...


class Numbers:
    """Reads numbers. dtype: float32, or float64 where more than 7 digits count."""

    def __init__(self, dtype: type[np.floating] = np.float32):
        self.dtype = dtype
        self.rows = self.bad = 0
        self.wrong: tuple[int, str] | None = None
        self.parts: list[np.ndarray] = []

    def add(self, texts: Sequence[str]) -> None:
        """See Reader. A number that float32 can't hold is wrong."""
        try:
            values = np.array(list(map(float, texts)))
            simple = "_" not in "".join(texts)
        except ValueError:
            simple = False
        if not simple:
            read = (number(text) for text in texts)
            values = np.array([np.nan if v is None else v for v in read])
        with np.errstate(over="ignore"):
            self.parts.append(values.astype(self.dtype))
        doubtful = np.flatnonzero(~np.isfinite(self.parts[-1]))
        wrong = [i for i in map(int, doubtful) if texts[i].strip().lower() not in MISSING]
        self.parts[-1][wrong] = np.nan
        if wrong and self.wrong is None:
            self.wrong = self.rows + wrong[0], texts[wrong[0]]
        self.bad += len(wrong)
        self.rows += len(texts)

    def column(self) -> Column:
        """See Reader."""
        values = np.concatenate(self.parts)
        self.parts = []
        missing = np.isnan(values)
        there = self.rows - int(missing.sum()) + self.bad
        gaps = np.flatnonzero(missing)
        share = 1 - self.bad / there if there else 1.0
        return Column(values, None, self.wrong, int(gaps[0]) if len(gaps) else None, share)


class Categories(dict[str, int]):
    """Reads texts, and numbers them in the order in which they come. name, where, is_target: for the
    error."""

    def __init__(self, name: str, where: str, most: int = SURELY_TEXT, is_target: bool = False):
        super().__init__()
        self.name, self.where, self.most, self.is_target = name, where, most, is_target
        self.parts: list[np.ndarray] = []

    def __missing__(self, text: str) -> int:
        self[text] = len(self)
        return self[text]

    def add(self, texts: Sequence[str]) -> None:
        """See Reader. Raises DataError where there are too many to be categories."""
        self.parts.append(np.array(list(map(self.__getitem__, texts)), np.int32))
        if len(self) > self.most:
            raise DataError(too_many(self.where, self.name, f"more than {self.most:,}", self, self.is_target))

    def column(self) -> Column:
        """See Reader. Categories are sorted, by value where all are numbers."""
        raw = np.concatenate(self.parts)
        self.parts = []
        stripped = [text.strip() for text in self]
        names = in_order({text for text in stripped if text.lower() not in MISSING})
        places = {name: i for i, name in enumerate(names)}
        values = np.array([places.get(text, -1) for text in stripped], np.int32)[raw]
        counts = np.bincount(values[values >= 0], minlength=len(names))
        numeric = sum(int(c) for name, c in zip(names, counts, strict=True) if number(name) is not None)
        gaps = np.flatnonzero(values < 0)
        share = numeric / max(int(counts.sum()), 1)
        return Column(values, tuple(names), None, int(gaps[0]) if len(gaps) else None, share)


class Times(Numbers):
    """Reads points in time, float64: numbers as they are; dates as seconds since 1970."""

    def __init__(self) -> None:
        super().__init__(np.float64)

    def add(self, texts: Sequence[str]) -> None:
        """See Reader."""
        if all(number(text) is not None or text.strip().lower() in MISSING for text in texts[:20]):
            super().add(texts)
        else:
            super().add([_seconds(text) for text in texts])


def in_order(names: set[str]) -> list[str]:
    """By value where all are numbers, else by letter."""
    values = {name: number(name) for name in names}
    if None in values.values():
        return sorted(names)
    return sorted(names, key=lambda name: (values[name], name))


def _seconds(text: str) -> str:
    """An ISO date, or day.month.year with or without a time, in seconds since 1970; else the text."""
    iso = text.strip()
    if iso[2:3] == iso[5:6] == ".":
        iso = f"{iso[6:10]}-{iso[3:5]}-{iso[:2]}{iso[10:]}"
    try:
        then = datetime.fromisoformat(iso)
    except ValueError:
        return text if number(text) is None else f"{text} is no date"
    return str((then if then.tzinfo else then.replace(tzinfo=UTC)).timestamp())
