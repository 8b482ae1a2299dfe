"""A user's table from its file to tensors: what is known of it, its rows, and what there is to say about it."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch

from dlrun.contracts import Data, DataSpec, InputSpec, Rows
from dlrun.datasets._csv_columns import Column, Kind
from dlrun.datasets._csv_features import Feature, Missing, choose, leaks
from dlrun.datasets._csv_file import CsvFile, Separator, open_csv
from dlrun.datasets._csv_table import known, read
from dlrun.datasets._csv_target import KINDS, Target, Wanted, decide
from dlrun.datasets._parts import cut, order_in_time
from dlrun.errors import DataError

FEATURES = "features"
"""Name of the one input."""


@dataclass(frozen=True)
class Options:
    """The arguments of `build` in datasets/csv.py."""

    path: str
    target: str
    problem: Wanted
    columns: tuple[str, ...] | None
    drop: tuple[str, ...]
    categorical: tuple[str, ...]
    missing: Missing
    separator: Separator
    encoding: str
    test: str | float | int
    test_order: Literal["auto", "random", "last"]
    time: str | None
    sample_weight: str | None
    normalize: Literal["train", "pool", "no"]

    @property
    def files(self) -> dict[str, str]:
        """Argument to path."""
        return {"dataset.path": self.path, **({"dataset.test": self.test} if isinstance(self.test, str) else {})}


@dataclass(frozen=True)
class Prepared:
    """A table as it is trained on. said: in one line. warnings: what its user should know."""

    data: Data
    features: list[Feature]
    target: Target
    said: str
    warnings: list[str]


def prepare(options: Options) -> Prepared:
    """Read the table, or take it from memory where its files are still the same. Raises DataError."""
    files = [open_csv(named, options.separator, key, options.encoding) for key, named in options.files.items()]
    stats = [file.path.stat() for file in files]
    return _prepare(options, tuple((s.st_size, s.st_mtime_ns, s.st_ino) for s in stats))


@functools.lru_cache(maxsize=1)  # checking a command, running it and showing it each build the dataset
def _prepare(options: Options, stamps: tuple[object, ...]) -> Prepared:
    file, *more = (open_csv(named, options.separator, key, options.encoding) for key, named in options.files.items())
    test_file: CsvFile | None = more[0] if more else None
    wanted = _wanted(file, options)
    precise = [options.target, *([options.time] if options.time else [])]
    more_rows = test_file.expected_rows() if test_file else 0
    needs = {options.target: f"dataset.problem={options.problem} needs numbers"}
    if options.sample_weight:
        needs[options.sample_weight] = "expected the weight of the row, at least 0"
    columns = read(file, wanted, options.categorical, precise, more_rows, needs)
    target = decide(file, options.target, columns[options.target], options.problem, options.normalize)
    values = target.values(file, columns.pop(options.target))
    times = _times(file, columns.pop(options.time)) if options.time else None
    weights = _weights(file, columns.pop(options.sample_weight)) if options.sample_weight else None
    features, warnings = choose(
        file, columns, options.categorical, options.missing, normalized=options.normalize != "no"
    )
    columns = {f.name: columns[f.name] for f in features}
    warnings += leaks(file, columns, target.name, values, target.spec.classes)
    order = np.arange(len(values)) if times is None else order_in_time(times)
    if test_file is None:
        assert not isinstance(options.test, str)
        last = options.test_order == "last" or (options.test_order == "auto" and times is not None)
        train, held = cut(order, options.test, last)
        test = _rows(features, columns, target, values, held, options.missing) if len(held) else None
    else:
        train = order
        test, found = _test_rows(test_file, features, target, options)
        warnings += found
    if target.spec.classes and len(np.unique(values[train])) < 2:
        raise DataError(
            f"{file.named}: the training rows are all of one class. Take fewer test rows, or dataset.test=0 for none"
        )
    names = tuple(name for feature in features for name in feature.names)
    spec = DataSpec(
        {FEATURES: InputSpec((len(names),), standardize=options.normalize, names=names)},
        {target.name: target.spec},
        {"train": len(train), "test": len(test) if test else 0},
    )
    rows = _rows(features, columns, target, values, train, options.missing)
    if weights is not None:
        if not weights[train].any():
            raise DataError(f"{file.named}: the weights of all training rows are 0: there is nothing to learn from")
        rows = replace(rows, weights=torch.from_numpy(weights[train]))
    extras = {} if times is None else {"time": times[train]}
    checksums = {f.named: _sha256(f) for f in (file, *more)}
    data = Data(spec, rows, test, extras=extras, checksums=checksums)
    return Prepared(data, features, target, _said(file, data, features, target), warnings)


def _wanted(file: CsvFile, options: Options) -> dict[str, Kind | None]:
    """The columns to read. Raises DataError where one is not there."""
    asked = {
        "dataset.target": (options.target,),
        "dataset.columns": options.columns or (),
        "dataset.drop": options.drop,
        "dataset.categorical": options.categorical,
        "dataset.time": (options.time,) if options.time else (),
        "dataset.sample_weight": (options.sample_weight,) if options.sample_weight else (),
    }
    for key, names in asked.items():
        known(file, names, key)
    # Without a name: often the index of a data frame.
    aside = {options.target, options.time, options.sample_weight, "", *options.drop}
    inputs = [name for name in options.columns or file.names if name not in aside]
    if not inputs:
        raise DataError(f"{file.named}: no input is left, there is only the target '{options.target}'")
    kinds: dict[str, Kind | None] = {n: "category" if n in options.categorical else None for n in inputs}
    if options.time:
        kinds[options.time] = "time"
    if options.sample_weight:
        kinds[options.sample_weight] = "number"
    return {**kinds, options.target: KINDS[options.problem]}


def _times(file: CsvFile, column: Column) -> np.ndarray:
    if column.gap is not None:
        raise DataError(f"{file.line(column.gap)}: the time of the row is missing")
    return column.values


def _weights(file: CsvFile, column: Column) -> np.ndarray:
    """Of all rows, float32 [N]."""
    if column.gap is not None:
        raise DataError(f"{file.line(column.gap)}: the weight of the row is missing. Fill it in; 0 leaves the row out")
    negative = np.flatnonzero(column.values < 0)
    if len(negative):
        received = f"received {column.values[negative[0]]:g}"
        raise DataError(f"{file.line(int(negative[0]))}: expected the weight of the row, at least 0, {received}")
    return column.values


def _rows(
    features: list[Feature], columns: Mapping[str, Column], target: Target, values: np.ndarray, index: np.ndarray,
    missing: Missing,
) -> Rows:  # fmt: skip
    picked = {n: Column(c.values[index], c.categories) for n, c in columns.items()}
    return Rows({FEATURES: matrix(features, picked, missing)[0]}, {target.name: torch.from_numpy(values[index])})


def matrix(
    features: list[Feature], columns: Mapping[str, Column], missing: Missing
) -> tuple[torch.Tensor, dict[str, int]]:
    """Rows of numbers, float32 [N, D], and by column how many rows had a category that is not known."""
    n = len(columns[features[0].name].values)
    out = np.zeros((n, sum(len(f.names) for f in features)), np.float32)
    unknown, place = {}, 0
    for feature in features:
        width = len(feature.names)
        unknown[feature.name] = feature.fill(out[:, place : place + width], columns[feature.name], missing)
        place += width
    return torch.from_numpy(out), {name: count for name, count in unknown.items() if count}


def _test_rows(file: CsvFile, features: list[Feature], target: Target, options: Options) -> tuple[Rows, list[str]]:
    """The rows of a test file, encoded like the training rows, and warnings."""
    kind: Kind = "number" if target.numbers is not None or not target.spec.classes else "category"
    kinds: dict[str, Kind | None] = {f.name: f.kind for f in features}
    known(file, (*kinds, target.name), "dataset.test")
    columns = read(file, {**kinds, target.name: kind}, list(kinds), [target.name])
    values = target.values(file, columns.pop(target.name))
    for feature in features:
        gap = columns[feature.name].gap
        unfilled = options.missing == "mean" and options.normalize == "no" and feature.categories is None
        if gap is not None and (options.missing == "error" or unfilled):
            raise DataError(f"{file.line(gap)}: column '{feature.name}' has no value there. Set dataset.missing=zero")
    encoded, unknown = matrix(features, columns, options.missing)
    warnings = [
        f"{file.named}: column '{name}' has a category that no training row has in {count:,} rows; it counts as missing"
        for name, count in unknown.items()
    ]
    return Rows({FEATURES: encoded}, {target.name: torch.from_numpy(values)}), warnings


def _said(file: CsvFile, data: Data, features: list[Feature], target: Target) -> str:
    texts = sum(f.categories is not None for f in features)
    more = f", {texts} of them categories" if texts else ""
    test = f"{len(data.test):,} test rows" if data.test else "no test rows"
    width = data.spec.inputs[FEATURES].shape[0]
    return (
        f"{file.named}: {len(data.train):,} rows for training, {test}; {len(features)} columns{more}, {width} numbers "
        f"a row; '{target.name}' is a {target.spec.problem} target, for {target.why}"
    )


def _sha256(file: CsvFile) -> str:
    with file.path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
