"""A CSV file as chunks of rows; what is wrong with it is said with its line."""

from __future__ import annotations

import codecs
import csv
import mmap
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from dlrun.errors import DataError, available, nearest

CHUNK = 500
"""Rows in memory as text at a time: with 20,000, which leave the CPU's cache, reading takes twice as long."""

Separator = Literal["auto", ",", ";", "tab", "|"]

MISSING = frozenset({"", "na", "nan", "null", "?"})
"""What stands for a missing value, in small or capital letters."""

_HEAD = 65_536  # bytes in which the separator is looked for
_NO_TEXT = {
    b"PK\x03\x04": "an Excel or zip file: save the sheet as CSV (UTF-8)",
    b"\x1f\x8b": "compressed: unpack it first, gunzip FILE",
    b"\xff\xfe": "UTF-16: save it as UTF-8, iconv -f UTF-16 -t UTF-8 OLD > NEW",
    b"\xfe\xff": "UTF-16: save it as UTF-8, iconv -f UTF-16 -t UTF-8 OLD > NEW",
}


@dataclass(frozen=True)
class CsvFile:
    """names: of the columns, from line 1; empty where a column has none. named: as the user typed the path.
    encoding: as Python calls it."""

    path: Path
    named: str
    delimiter: str
    names: tuple[str, ...]
    encoding: str = "utf-8"

    def chunks(self) -> Iterator[list[list[str]]]:
        """The rows after the header, up to CHUNK at a time; empty lines left out. Raises DataError."""
        _refuse_nul(self.path, self.named)
        width = {len(self.names)}
        with self._reading() as reader:
            next(reader)
            while chunk := list(islice(reader, CHUNK)):
                rows = [row for row in chunk if row]
                if set(map(len, rows)) - width:
                    self._say_ragged()
                yield rows

    def line(self, row: int) -> str:
        """`my.csv, line 7`: where row number `row`, from 0, begins."""
        with self._reading() as reader:
            next(reader)
            begin = reader.line_num + 1
            for fields in reader:
                if fields and not row:
                    break
                row -= bool(fields)
                begin = reader.line_num + 1
        return f"{self.named}, line {begin}"

    def expected_rows(self) -> int:
        """Rows by the size of the file and the length of its first lines, which for a small file is exact."""
        size = self.path.stat().st_size
        with self.path.open("rb") as stream:
            header = len(stream.readline())
            head = stream.read(2**20)
        lines = max(head.count(b"\n"), 1)
        return max(round((size - header) / len(head) * lines), 1) if head else 0

    def _reading(self) -> AbstractContextManager[Any]:
        return _reading(self.path, self.named, self.delimiter, self.encoding)

    def _say_ragged(self) -> None:
        with self._reading() as reader:
            for fields in reader:
                if fields and len(fields) != len(self.names):
                    separator = "tab" if self.delimiter == "\t" else self.delimiter
                    raise DataError(
                        f"{self.named}, line {reader.line_num}: expected {len(self.names)} fields separated by "
                        f"'{separator}', as in line 1, received {len(fields)}. Quote fields that hold a "
                        f"separator, or set dataset.separator"
                    )


def open_csv(named: str, separator: Separator, key: str, encoding: str = "utf-8") -> CsvFile:
    """Look at the head of a file. key: the argument that names it. Raises DataError."""
    path = existing(named, key)
    if not path.is_file():
        raise DataError(f"{key}: expected a table in a CSV file, received the folder '{named}'")
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD)
    except OSError as error:
        raise DataError(f"{key}: can't read {named}: {error.strerror}") from None
    for magic, what in _NO_TEXT.items():
        if head.startswith(magic):
            raise DataError(f"{named} is no text but {what}")
    if b"\0" in head:
        _refuse_nul(path, named)
    seen = _sniffed(head.decode(_signed(encoding), errors="replace"))
    chosen = {"auto": seen, "tab": "\t"}.get(separator, separator)
    with _reading(path, named, chosen, encoding) as reader:
        names = tuple(name.strip() for name in next(reader, []))
    if len(names) == 1 and seen in names[0]:
        shown = "tab" if seen == "\t" else seen
        raise DataError(
            f"{named}, line 1: one column with dataset.separator={separator}, '{names[0]}': its fields look separated "
            f"by '{shown}'. Leave dataset.separator at auto"
        )
    _check_header(named, names)
    return CsvFile(path, named, chosen, names, encoding)


def existing(named: str, key: str) -> Path:
    """The path of a file or folder that is there. Raises DataError with the nearest name."""
    path = Path(named).expanduser()
    there: list[str] = []
    with suppress(OSError):  # a name too long for a file, a folder that may not be listed
        if path.exists():
            return path
        while not path.parent.is_dir():
            path = path.parent
        there = [f.name for f in path.parent.iterdir() if not f.name.startswith(".")]
    found = f"{nearest(path.name, there)} {available(there)}".strip()
    raise DataError(f"{key}: there is no '{named}'. In {path.parent.resolve()}: {found}")


def number(text: str) -> float | None:
    """A number as tables write it, or None."""
    try:
        return None if "_" in text else float(text)  # Python would read 1_000
    except ValueError:
        return None


def _check_header(named: str, names: tuple[str, ...]) -> None:
    if not any(names):
        raise DataError(f"{named}: 0 rows, the file is empty")
    for name in names:
        if name and names.count(name) > 1:
            raise DataError(f"{named}, line 1: the column name '{name}' stands there twice")
    if all(number(name) is not None for name in names):
        raise DataError(f"{named}, line 1: expected the names of the columns, received numbers: {', '.join(names[:5])}")


def _sniffed(text: str) -> str:
    """The separator that cuts the first lines into equally many fields, the most; else that of line 1."""

    def fit(delimiter: str) -> tuple[bool, int]:
        widths = [len(row) for row in islice(csv.reader(text.splitlines(), delimiter=delimiter), 20) if row]
        return (len(set(widths)) == 1 and widths[0] > 1, widths[0]) if widths else (False, 0)

    return max(",;\t|", key=fit)


def _signed(encoding: str) -> str:
    """UTF-8 may begin with a mark that is no part of the text."""
    return "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding


@contextmanager
def _reading(path: Path, named: str, delimiter: str, encoding: str) -> Iterator[Any]:
    """A reader of the file from its start; its errors as DataError."""
    with path.open(encoding=_signed(encoding), newline="") as stream:
        reader = csv.reader(stream, delimiter=delimiter, strict=True)
        try:
            yield reader
        except UnicodeDecodeError:
            raise DataError(_encoding_problem(path, named, encoding)) from None
        except csv.Error as error:
            raise DataError(
                f"{named}, line {reader.line_num}: {error}. Is there a quote that is never closed?"
            ) from None


def _refuse_nul(path: Path, named: str) -> None:
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if (place := content.find(b"\0")) >= 0:
            line = content[:place].count(b"\n") + 1
            raise DataError(f"{named}, line {line}: a NUL byte, which no text has. Save the table as CSV in UTF-8")


def _encoding_problem(path: Path, named: str, encoding: str) -> str:
    name = encoding.upper()
    with path.open("rb") as stream:
        for line, raw in enumerate(stream, 1):
            try:
                raw.decode(encoding)
            except UnicodeDecodeError as error:
                where = f"line {line}: byte 0x{raw[error.start]:02x}"
                way = f"or save the file as {name}, iconv -f LATIN1 -t {name} OLD > NEW"
                return f"{named}, {where} is not {name}. Set dataset.encoding, often latin-1 or cp1252, {way}"
    return f"{named} is not {name}"
