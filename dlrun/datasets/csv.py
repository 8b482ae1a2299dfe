"""Your own table: a CSV file, with one column as the target and the others as inputs."""

from __future__ import annotations

import csv
import json
import logging
from dataclasses import dataclass
from typing import Literal

import torch

from dlrun.contracts import Data, DataSpec, Rows
from dlrun.datasets._csv_features import Missing
from dlrun.datasets._csv_file import Separator, open_csv
from dlrun.datasets._csv_prepare import FEATURES, Options, Prepared, matrix, prepare
from dlrun.datasets._csv_table import from_texts, known, read
from dlrun.datasets._csv_target import Wanted
from dlrun.datasets._files import Source
from dlrun.datasets._parts import check_encoding, check_path, check_source, check_test, refuse
from dlrun.errors import DataError, Problem, available, nearest

log = logging.getLogger("dlrun")


@dataclass
class Table:
    """See contracts.Dataset. `features`: float32 [N, D], a place per column of numbers and one per category,
    NaN where a number is missing; the target by its column's name.

    `Data.extras["time"]`: float64 [N], the times of the training rows, where a column gives them.
    """

    options: Options

    @property
    def spec(self) -> DataSpec:
        """Found out by reading the file. Raises DataError."""
        return self._prepared.data.spec

    @property
    def fingerprint(self) -> str:
        """Changes with the content of the files."""
        return " ".join(self._prepared.data.checksums.values())

    def resolve_source(self) -> Literal["real"]:
        """Always real."""
        return "real"

    def load(self) -> Data:
        """All rows; says what was found in the table. Raises DataError."""
        log.info("%s", self._prepared.said)
        for warning in self._prepared.warnings:
            log.warning("%s", warning)
        return self._prepared.data

    def encode(self, raw: str) -> Rows:
        """`column=value,column=value`, or a JSON object, as one row; the path of a .csv file as its rows."""
        features = self._prepared.features
        kinds = {f.name: f.kind for f in features}
        if raw.endswith(".csv") and "=" not in raw:
            file = open_csv(raw, self.options.separator, "input", self.options.encoding)
            known(file, kinds, "input")
            columns, where = read(file, kinds, list(kinds)), raw
        else:
            columns, where = from_texts(kinds, self._texts(raw), "input"), "input"
        encoded, unknown = matrix(features, columns, self.options.missing)
        for feature in features:
            if feature.name in unknown:
                assert feature.categories is not None
                seen = {*(columns[feature.name].categories or ())} - {*feature.categories}
                hint = f"{nearest(min(seen), feature.categories)} {available(feature.categories)}".strip()
                raise DataError(f"{where}: column '{feature.name}' never was '{min(seen)}' in training. {hint}")
        filled = self.options.missing == "zero" or (self.options.missing == "mean" and self.options.normalize != "no")
        for name, column in columns.items():
            if column.gap is not None and not filled:
                raise DataError(f"{where}: column '{name}' has no value, and dataset.missing fills none in")
        return Rows({FEATURES: encoded}, {})

    def describe(self, data: Data, part: str, row: int) -> str:
        """`price 3.2: rooms 4, city Bonn`."""
        rows: Rows = getattr(data, part)
        vector = rows.inputs[FEATURES][row]
        assert isinstance(vector, torch.Tensor)
        target = self._prepared.target
        value = rows.targets[target.name][row]
        shown = target.spec.labels[int(value)] if target.spec.classes else f"{float(value):g}"
        texts, place = [], 0
        for feature in self._prepared.features:
            width = len(feature.names)
            texts.append(f"{feature.name} {feature.read(vector.numpy()[place : place + width])}")
            place += width
        return f"{target.name} {shown}: {', '.join(texts)}"

    @property
    def _prepared(self) -> Prepared:
        return prepare(self.options)

    def _texts(self, raw: str) -> dict[str, str]:
        """The values by column. Raises DataError where one of the inputs is not there."""
        try:
            if raw.lstrip().startswith("{"):
                given = {str(k): "" if v is None else str(v) for k, v in json.loads(raw).items()}
            else:
                pairs = [word.split("=", 1) for word in next(csv.reader([raw], strict=True))]
                given = {name.strip(): value for name, value in pairs}
        except (ValueError, csv.Error, StopIteration):
            raise DataError(
                f"expected column=value,column=value, a JSON object or the path of a .csv file, received {raw!r}"
            ) from None
        names = [f.name for f in self._prepared.features]
        lacking = [name for name in names if name not in given]
        if lacking:
            strange = [name for name in given if name not in names]
            hint = f"; '{strange[0]}' is none of them. {nearest(strange[0], lacking)}" if strange else ""
            raise DataError(f"input: no value for {', '.join(lacking)} (write NAME= for an unknown one){hint}".rstrip())
        return given


def build(
    *,
    source: Source = "real",
    path: str = "",
    target: str = "",
    problem: Wanted = "auto",
    columns: list[str] | None = None,
    drop: list[str] | None = None,
    categorical: list[str] | None = None,
    missing: Missing = "mean",
    separator: Separator = "auto",
    encoding: str = "utf-8",
    test: str | float | int = 0.2,
    test_order: Literal["auto", "random", "last"] = "auto",
    time: str | None = None,
    sample_weight: str | None = None,
    normalize: Literal["train", "pool", "no"] = "train",
) -> Table:
    """A table whose first line names its columns.

    path: the file. encoding: of its text. target: the column to predict. problem: `auto` looks at its values.
    columns: the inputs, all others by default; drop: columns that are none. categorical: columns to read as categories
    though they look like numbers or have many values. missing: what an empty field, NA, NaN, null or ? becomes:
    the column's mean, 0, or an error. test: another file, or a share or number of rows of this one, taken at
    random or, with `last` (and with `auto` where there is a time), from the end. time: the column by which rows
    are sorted; it is no input. sample_weight: the column with what the loss of a training row counts, at least 0, as
    in Keras; it is no input. normalize: with the mean and deviation of the training rows (3.6.2), of all rows
    but the test's, or not at all. Raises ConfigError.
    """
    problems = check_source(source) + check_path(path, "a CSV file") + check_encoding(encoding) + check_test(test)
    if not target:
        problems.append(Problem("dataset.target", "missing: the column to predict", "set dataset.target=…"))
    aside = {"target": target, "time": time, "sample_weight": sample_weight}
    for key, names in (("columns", columns), ("drop", drop), ("categorical", categorical)):
        for role, name in aside.items():
            if name and name in (names or ()):
                what = "may not name" if key == "drop" else "names inputs, not"
                problems.append(Problem(f"dataset.{key}", f"{what} the {role} column '{name}'"))
    for key, name in (("time", time), ("sample_weight", sample_weight)):
        if target and target == name:
            problems.append(Problem(f"dataset.{key}", f"is the target column '{target}'"))
    if time and time == sample_weight:
        problems.append(Problem("dataset.sample_weight", f"is the time column '{time}'"))
    if columns == []:
        problems.append(Problem("dataset.columns", "expected at least one column", "null takes all"))
    refuse(problems)
    return Table(
        Options(
            path, target, problem, None if columns is None else tuple(dict.fromkeys(columns)), tuple(drop or ()),
            tuple(categorical or ()), missing, separator, encoding, test, test_order, time, sample_weight, normalize,
        )
    )  # fmt: skip
