"""Weather in Jena every ten minutes, 14 columns: how warm will it be a day later? (section 6.3)"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import torch

from dlrun.contracts import Data, DataSpec, Rows
from dlrun.datasets import _jena_sample, _series
from dlrun.datasets._cache import encoded
from dlrun.datasets._files import File, Source, checksum, fetch, resolve, written_aside
from dlrun.datasets._parts import refuse
from dlrun.datasets._series import Cut, Normalize, Range
from dlrun.datasets._series_file import SeriesFile
from dlrun.errors import DataError, Problem, available, nearest
from dlrun.types import Count, Natural

ENCODING = 1  # raise when the encoded tensors change

Years = Literal["2009_2016", "2024"]

BOOK = File(
    "jena_climate",
    "jena_climate_2009_2016.csv.zip",
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/jena_climate_2009_2016.csv.zip",
    (),
    13_568_290,
)
UNPACKED = replace(BOOK, name="jena_climate_2009_2016.csv", url=None)  # what is in it serves as well
SUMMER = File(
    "jena_climate",
    "mpi_roof_2024-06-09_2024-10-20.csv",
    None,
    "3a412dc1d411244bd0583f99ced81c30a20283fadb7b204e781de9f78878f912",
    2_548_204,
)
FILES = (BOOK, SUMMER)

ROWS: dict[Years, int] = {"2009_2016": 420_551, "2024": 19_132}
COLUMNS = tuple(_jena_sample.COLUMNS)
TARGET = "T (degC)"
FIRST: dict[Years, tuple[float, float]] = {"2009_2016": (996.52, -8.02), "2024": (982.81, 18.76)}
"""Pressure and temperature of the first row."""

WEATHER, TEMPERATURE = "weather", "temperature"


@dataclass
class JenaClimate:
    """See contracts.Dataset. `weather`: `Windows` [N, steps, C]; `temperature`: float32 [N] or [N, horizon], in °C.

    `Data.train` has the windows of the training range, then those of the validation range. `Data.extras`: as of
    `timeseries`.
    """

    source: Source
    years: Years
    columns: tuple[str, ...]
    cut: Cut
    normalize: Normalize
    spec: DataSpec = field(init=False)
    _resolved: Literal["real", "sample"] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        found = self.cut.all_references(ROWS[self.years])
        train = len(found["train"]) + len(found.get("validation", ()))
        rows = {"train": train, "test": len(found.get("test", ()))}
        named = WEATHER, TEMPERATURE
        self.spec = _series.spec(self.cut, self.columns, TARGET, named, "°C", self.normalize, rows)

    @property
    def fingerprint(self) -> str:
        """Of a file whose checksum is not known beforehand."""
        return checksum(_fetched(self.years)) if self._resolved == "real" and self.years == "2009_2016" else ""

    def resolve_source(self) -> Literal["real", "sample"]:
        """Real, or sample where that was asked for or `auto` found no file."""
        if self._resolved is None:
            self._resolved = resolve(self.source, "jena_climate", lambda: _fetched(self.years))
        return self._resolved

    def load(self) -> Data:
        """All windows. Raises DataError."""
        source = self.resolve_source()
        if source == "sample":
            whole, checksums = torch.from_numpy(_jena_sample.make()), {}
        else:
            path = _fetched(self.years)
            checksums = {path.name: checksum(path)}
            key = {"encoding": ENCODING, "years": self.years, "checksum": checksums[path.name]}
            whole = encoded("jena_climate", key, lambda: {"series": _read(path, self.years)})["series"]
        series = whole[:, [COLUMNS.index(name) for name in self.columns]] if self.columns != COLUMNS else whole
        values = whole[:, COLUMNS.index(TARGET)]
        scale = len(whole) / ROWS[self.years]
        return _series.data(self.cut, self.spec, series, values, source, checksums, scale)

    def encode(self, raw: str) -> Rows:
        """The path of a CSV file with these columns: all its windows, the last of which predicts what is not known
        yet."""
        file = SeriesFile(raw, "auto", _encoding(self.years), self.columns, "", None, "input")
        return _series.ahead(self.cut, self.spec, file.read()[0], raw)

    def describe(self, data: Data, part: str, row: int) -> str:
        """`row 1,440: temperature went from 3.1 to -2.5 °C, 144 rows later 4.2 °C`."""
        return _series.describe(self.cut, data, part, row)


def build(
    *,
    source: Source = "real",
    years: Years = "2009_2016",
    columns: list[str] | None = None,
    lookback: Count = 1440,
    step: Count = 6,
    delay: Natural = 144,
    horizon: Count = 1,
    recent: bool = False,
    train: Range,
    validation: Range | None,
    test: Range | None,
    whole_batches: Count | None = None,
    normalize: Normalize = "train",
) -> JenaClimate:
    """The weather station of the Max Planck Institute for Biogeochemistry in Jena (book 6.3.1 and 6.3.2).

    years: the book's file, 420,551 rows, or 19,132 rows of June to October 2024. columns: the inputs, null for all 14.
    lookback, step, delay, horizon, recent, train, validation, test, whole_batches, normalize: as of dataset=timeseries.
    Raises ConfigError, and DataError where no window fits into a range.
    """
    cut = Cut(lookback, step, delay, horizon, recent, train, validation, test, whole_batches)
    chosen = COLUMNS if columns is None else tuple(dict.fromkeys(columns))
    problems = cut.problems()
    for name in chosen:
        if name not in COLUMNS:
            hint = f"{nearest(name, COLUMNS)} {available(COLUMNS, 14)}".strip()
            problems.append(Problem("dataset.columns", f"no column is called '{name}'", hint))
    if not chosen:
        problems.append(Problem("dataset.columns", "expected at least one column", "null takes all"))
    refuse(problems)
    return JenaClimate(source, years, chosen, cut, normalize)


def _encoding(years: Years) -> str:
    return "latin-1" if years == "2024" else "utf-8"


def _fetched(years: Years) -> Path:
    """The CSV file. Raises DataError."""
    if years == "2024":
        return fetch(SUMMER)
    found = fetch(BOOK, UNPACKED)
    if found == UNPACKED.path:
        return found
    if not UNPACKED.path.exists():
        try:
            with zipfile.ZipFile(found) as archive, written_aside(UNPACKED.path) as part:
                part.write_bytes(archive.read(UNPACKED.name))
        except (KeyError, zipfile.BadZipFile) as error:
            raise DataError(f"{found}: expected a zip file with {UNPACKED.name}: {error}") from None
    return UNPACKED.path


def _read(path: Path, years: Years) -> torch.Tensor:
    """float32 [T, 14]. The times of the book's file are not looked at, as in the book. Raises DataError where the file
    is another one."""
    time = "Date Time" if years == "2024" else None
    series, _ = SeriesFile(str(path), ",", _encoding(years), COLUMNS, "", time).read()
    first = tuple(round(v, 2) for v in series[0, :2].tolist())
    if len(series) != ROWS[years] or first != FIRST[years]:
        raise DataError(
            f"{path}: expected {ROWS[years]:,} rows, the first with {FIRST[years][0]} mbar and {FIRST[years][1]} °C; "
            f"received {len(series):,} rows, the first with {first[0]} and {first[1]}"
        )
    return series
