"""A series in a CSV file, as numbers: no gaps, and in the order of time."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dlrun.datasets._csv_columns import Column, Kind
from dlrun.datasets._csv_file import CsvFile, Separator, open_csv
from dlrun.datasets._csv_table import known, read
from dlrun.errors import DataError

log = logging.getLogger("dlrun")

NEEDED = "a series needs a number in every row"


@dataclass(frozen=True)
class SeriesFile:
    """Where a series is. key: the argument that names it, for errors. columns: its channels, None for all but the time.
    target: one of them, or read beside them; empty for none. time: the column with the time of each row, if any."""

    path: str
    separator: Separator
    encoding: str
    columns: tuple[str, ...] | None
    target: str
    time: str | None
    key: str = "dataset.path"

    def opened(self) -> tuple[CsvFile, tuple[str, ...]]:
        """The file and its channels, from its head alone. Raises DataError."""
        file = open_csv(self.path, self.separator, self.key, self.encoding)
        asked = {"dataset.time": (self.time,), "dataset.columns": self.columns or (), "dataset.target": (self.target,)}
        for key, names in asked.items():
            known(file, [name for name in names if name], key)
        channels = self.columns or tuple(name for name in file.names if name and name != self.time)
        return file, channels

    def read(self) -> tuple[Tensor, Tensor | None]:
        """The series, float32 [T, C], and the target's values, float32 [T]. Raises DataError."""
        file, channels = self.opened()
        names = list(dict.fromkeys([*channels, *([self.target] if self.target else [])]))
        kinds: dict[str, Kind | None] = dict.fromkeys(names, "number")
        if self.time:
            kinds[self.time] = "time"
        columns = read(file, kinds, precise=[self.time] if self.time else [], needs=dict.fromkeys(names, NEEDED))
        for name in names:
            _check_gaps(file, name, columns[name])
        if self.time:
            _check_times(file, self.time, columns.pop(self.time))
        table = np.empty((len(columns[names[0]].values), len(channels)), np.float32)
        for place, name in enumerate(channels):
            table[:, place] = columns[name].values
            if name != self.target:
                del columns[name]
        return torch.from_numpy(table), torch.from_numpy(columns[self.target].values) if self.target else None


def checksum(file: CsvFile) -> str:
    """SHA-256 of its content."""
    with file.path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _check_gaps(file: CsvFile, name: str, column: Column) -> None:
    if column.gap is not None:
        raise DataError(
            f"{file.line(column.gap)}: column '{name}' has no value there, and windows can't have gaps. Fill it in, or "
            f"leave the column out with dataset.columns"
        )


def _check_times(file: CsvFile, name: str, column: Column) -> None:
    """Each row later than the one before; rows that are not evenly spaced are warned of."""
    if column.gap is not None:
        raise DataError(f"{file.line(column.gap)}: dataset.time, column '{name}': the time of the row is missing")
    steps = np.diff(column.values)
    if not len(steps):
        return
    back = np.flatnonzero(steps <= 0)
    if len(back):
        row = int(back[0]) + 1
        more = f", and so {len(back) - 1:,} rows more" if len(back) > 1 else ""
        raise DataError(
            f"{file.line(row)}: dataset.time, column '{name}': not later than the row before{more}. A series is in the "
            f"order of time: sort the file by this column, and keep one row for each time"
        )
    usual = float(np.median(steps))
    uneven = np.flatnonzero(np.abs(steps - usual) > 1e-6 * usual)
    if len(uneven):
        log.warning(
            "%s: most rows are %g apart in column '%s', but %s are not, the first at %s: windows take rows as they "
            "stand, whatever the time between them",
            file.named, usual, name, f"{len(uneven):,}", file.line(int(uneven[0]) + 1).removeprefix(f"{file.named}, "),
        )  # fmt: skip
