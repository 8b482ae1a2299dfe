"""A table streamed into one array per column; what each column holds is found out on the way."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import chain, islice

import numpy as np

from dlrun.datasets._csv_columns import MOSTLY, SURELY_TEXT, Categories, Column, Kind, Numbers, Reader, Times
from dlrun.datasets._csv_file import MISSING, CsvFile, number
from dlrun.datasets._csv_refusals import bad_number, comma, commas
from dlrun.errors import DataError, available, nearest
from dlrun.memory import require

FIRST = 10_000
"""Rows that say what a column holds, until all are read."""

TRAINING = 3
"""Copies of the matrix while a model is prepared: the rows themselves and those that a split picks, twice."""


def read(
    file: CsvFile,
    wanted: Mapping[str, Kind | None],
    declared: Collection[str] = (),
    precise: Collection[str] = (),
    more_rows: int = 0,
    needs: Mapping[str, str] | None = None,
) -> dict[str, Column]:
    """The wanted columns of a file.

    wanted: a column's kind, or None where its values decide: it is one of numbers where nine in ten of them
    are. declared: columns that are categories however many these are. precise: the target and the time, kept as
    float64. more_rows: rows of another file that will be in memory too. needs: by column, what its numbers are for.
    Raises DataError, also where there is not enough memory, before most of the file is read.
    """
    first = list(islice(chain.from_iterable(file.chunks()), FIRST))
    if not first:
        raise DataError(f"{file.named}: 0 rows, there is nothing below the names of the columns")
    texts = {name: [row[file.names.index(name)] for row in first] for name in wanted}
    kinds = {name: kind or _guess(texts[name]) for name, kind in wanted.items()}
    width = sum(len(set(texts[n])) if kind == "category" and n not in precise else 1 for n, kind in kinds.items())
    rows = file.expected_rows()
    bytes_per_row = 4 * (len(kinds) + TRAINING * width) + 24  # 24: order, target and time of a row
    require(
        (rows + more_rows) * bytes_per_row,
        f"{file.named}: about {rows:,} rows of {width} numbers",
        "choose fewer inputs with dataset.columns, or take fewer rows",
    )
    del first, texts
    columns = _stream(file, kinds, declared, precise)
    mistaken = {n: _other(c) for n, c in columns.items() if wanted[n] is None and (c.share < MOSTLY) == _numeric(c)}
    if mistaken:  # the first rows were not like the others: once more, for these columns alone
        columns |= _stream(file, mistaken, declared, precise)
    for name, column in columns.items():
        if column.wrong is not None:
            raise DataError(_wrong(file, name, column, wanted[name], name in precise, (needs or {}).get(name)))
        if wanted[name] is None and column.categories and (places := commas(column.categories)):
            row = int(np.flatnonzero(np.isin(column.values, places))[0])
            way = "dataset.problem=multiclass" if name in precise else f"'dataset.categorical=[{name}]'"
            said = f"{comma(column.categories[int(column.values[row])])}. If its values are categories, say {way}"
            raise DataError(f"{file.line(row)}: column '{name}': {said}")
    return {name: columns[name] for name in wanted}


def known(file: CsvFile, names: Collection[str], key: str) -> None:
    """Raises DataError where a column is not there. key: the argument that names them."""
    for name in names:
        if name not in file.names:
            there = [n for n in file.names if n]
            hint = f"{nearest(name, there)} {available(there)}".strip()
            raise DataError(f"{key}: {file.named} has no column '{name}'. {hint}")


def from_texts(kinds: Mapping[str, Kind], texts: Mapping[str, str], where: str) -> dict[str, Column]:
    """The columns of a table with one row. Raises DataError."""
    columns = {}
    for name, kind in kinds.items():
        reader = _reader(kind, name, where, 1, np.float32)
        reader.add([texts[name]])
        columns[name] = reader.column()
        if wrong := columns[name].wrong:
            raise DataError(f"{where}: column '{name}': {bad_number(wrong[1])}")
    return columns


def _stream(
    file: CsvFile, kinds: Mapping[str, Kind], declared: Collection[str], precise: Collection[str]
) -> dict[str, Column]:
    readers: dict[int, Reader] = {}
    for name, kind in kinds.items():
        most = file.expected_rows() + 1 if name in declared else 0
        dtype = np.float64 if name in precise else np.float32
        readers[file.names.index(name)] = _reader(kind, name, file.named, most, dtype, name in precise)
    for chunk in file.chunks():
        by_column = list(zip(*chunk, strict=True))
        for place, reader in readers.items() if chunk else ():
            reader.add(by_column[place])
    return {file.names[place]: reader.column() for place, reader in readers.items()}


def _reader(kind: Kind, name: str, where: str, most: int, dtype: type[np.floating], is_target: bool = False) -> Reader:
    if kind == "time":
        return Times()
    if kind == "number":
        return Numbers(dtype)
    return Categories(name, where, most or SURELY_TEXT, is_target)


def _guess(texts: Sequence[str]) -> Kind:
    there = [text for text in texts if text.strip().lower() not in MISSING]
    numbers = sum(number(text) is not None for text in there)
    return "number" if numbers >= MOSTLY * len(there) else "category"


def _numeric(column: Column) -> bool:
    return column.categories is None


def _other(column: Column) -> Kind:
    return "category" if _numeric(column) else "number"


def _wrong(file: CsvFile, name: str, column: Column, wanted: Kind | None, aside: bool, needs: str | None) -> str:
    """What to say of a column's first wrong value. wanted: the kind that it was told to have."""
    assert column.wrong is not None
    row, text = column.wrong
    line = file.line(row)
    if wanted == "time":
        expected = "expected a number or a date such as 2024-01-31 or 31.01.2024 12:30"
        return f"{line}: dataset.time, column '{name}': {expected}, received '{text}'"
    there = needs or "the table to train on has numbers there"
    said = bad_number(text, there if wanted else f"expected a number, as {column.share:.2%} of its values are")
    if comma(text):
        return f"{line}: column '{name}': {said}"
    if aside:
        way = "Correct it or delete the line" if column.share >= MOSTLY else "Choose another dataset.target or problem"
        return f"{line}: the target, column '{name}': {said}. {way}"
    if needs:
        elsewhere = f"If it is the time of each row, set dataset.time={name}; else leave it out with dataset.columns"
        return f"{line}: column '{name}': {said}. {'Correct it' if column.share >= MOSTLY else elsewhere}"
    said += ". Correct it, write a missing value as an empty field or NA"
    if not wanted:
        said += f", leave the column out with 'dataset.drop=[{name}]'"
        said += f", or read it as text with 'dataset.categorical=[{name}]'"
    return f"{line}: column '{name}': {said}"
