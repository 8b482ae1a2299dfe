"""Your own series: a CSV file whose rows follow each other in time, one column to be predicted from windows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from dlrun.contracts import Data, DataSpec, Rows
from dlrun.datasets import _series
from dlrun.datasets._csv_file import Separator
from dlrun.datasets._files import Source
from dlrun.datasets._parts import check_encoding, check_path, check_source, refuse
from dlrun.datasets._series import Cut, Normalize, Range
from dlrun.datasets._series_file import SeriesFile, checksum
from dlrun.errors import Problem
from dlrun.types import Count, Natural

SERIES = "series"
"""Name of the one input."""


@dataclass
class Timeseries:
    """See contracts.Dataset. `series`: `Windows` [N, steps, C] of the columns; the target by its column's name, float32
    [N] or, with a horizon of H, [N, H].

    `Data.train` has the windows of the training range, then those of the validation range. `Data.extras["time"]`: their
    reference rows, int64 [N]; `["test_time"]`: those of the test set.
    """

    file: SeriesFile
    cut: Cut
    normalize: Normalize

    @property
    def spec(self) -> DataSpec:
        """Found out by reading the head of the file. Raises DataError."""
        _, channels = self.file.opened()
        return _series.spec(self.cut, channels, self.file.target, (SERIES, self.file.target), "", self.normalize, {})

    @property
    def fingerprint(self) -> str:
        """Changes with the content of the file."""
        return checksum(self.file.opened()[0])

    def resolve_source(self) -> Literal["real"]:
        """Always real."""
        return "real"

    def load(self) -> Data:
        """All windows. Raises DataError."""
        series, values = self.file.read()
        assert values is not None
        return _series.data(self.cut, self.spec, series, values, "real", {self.file.path: self.fingerprint})

    def encode(self, raw: str) -> Rows:
        """The path of a CSV file with the same columns: all its windows, the last of which predicts what is not known
        yet."""
        known = self.spec
        columns = known.inputs[SERIES].names
        series, _ = replace(self.file, path=raw, columns=columns, target="", key="input").read()
        return _series.ahead(self.cut, known, series, raw)

    def describe(self, data: Data, part: str, row: int) -> str:
        """`row 1,440: T (degC) went from 3.1 to -2.5, 144 rows later 4.2`."""
        return _series.describe(self.cut, data, part, row)


def build(
    *,
    source: Source = "real",
    path: str = "",
    target: str = "",
    columns: list[str] | None = None,
    time: str | None = None,
    lookback: Count = 120,
    step: Count = 1,
    delay: Natural = 0,
    horizon: Count = 1,
    recent: bool = False,
    train: Range,
    validation: Range | None,
    test: Range | None,
    whole_batches: Count | None = None,
    separator: Separator = "auto",
    encoding: str = "utf-8",
    normalize: Normalize = "train",
) -> Timeseries:
    """A series of numbers without gaps, in the order of time (book 6.3).

    path: a CSV file, whose first line names the columns. target: the column to predict; it is an input as well,
    unless `columns` leave it out. time: the column with the time of each row, which is checked; it is no input.
    lookback, step, delay, horizon, recent, train, validation, test, whole_batches: see `_series.Cut`; a range is
    `[first, end]` in rows or in shares of them. normalize: by the mean and deviation of the rows that training windows
    cover, of all but the test's, or not at all. Raises ConfigError.
    """
    cut = Cut(lookback, step, delay, horizon, recent, train, validation, test, whole_batches)
    problems = check_source(source) + check_path(path, "a CSV file") + check_encoding(encoding) + cut.problems()
    if not target:
        problems.append(Problem("dataset.target", "missing: the column to predict", "set dataset.target=…"))
    if time and time in (columns or ()):
        problems.append(Problem("dataset.columns", f"names inputs, not the time column '{time}'"))
    if time and time == target:
        problems.append(Problem("dataset.time", f"is the target column '{target}'"))
    if columns == []:
        problems.append(Problem("dataset.columns", "expected at least one column", "null takes all"))
    refuse(problems)
    file = SeriesFile(
        path, separator, encoding, None if columns is None else tuple(dict.fromkeys(columns)), target, time
    )
    return Timeseries(file, cut, normalize)
