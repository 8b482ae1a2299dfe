"""Pictures of cats and dogs by class and number, in an archive or in a folder."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO

from dlrun.datasets._csv_file import existing
from dlrun.errors import DataError

LABELS = ("cat", "dog")

NAME = re.compile(r"(?:(?:^|/)(?P<folder>cat|dog)s?/|(?:^|/)(?P<file>cat|dog)\.)(?P<number>\d+)\.jpe?g$", re.IGNORECASE)
"""`cat.7.jpg`, as Kaggle and the book have it, wherever it lies; `Cat/7.jpg`, as in Microsoft's archive."""

Numbers = tuple[int, int]
"""The first file number, and the one after the last."""


@dataclass(frozen=True)
class Numbered:
    """See `_image_pixels.Pictures`. labels: the class of each, by its place in `LABELS`."""

    where: str
    names: Sequence[str]
    labels: Sequence[int]
    opener: Callable[[str], Path | IO[bytes]]

    def open(self, i: int) -> Path | IO[bytes]:
        """Its path, or its bytes from the archive."""
        return self.opener(self.names[i])


def in_archive(path: Path, parts: Sequence[Numbers]) -> Numbered:
    """Of a zip file; nothing is unpacked. Raises DataError."""
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} can't be read: {error}") from None

    def opener(name: str) -> IO[bytes]:
        try:
            return BytesIO(archive.read(name))
        except zipfile.BadZipFile as error:
            raise OSError(f"{error}") from None

    return _picked(path.name, archive.namelist(), parts, opener)


def in_folder(named: str, parts: Sequence[Numbers]) -> Numbered:
    """Of a user's folder and those in it. Raises DataError."""
    root = existing(named, "dataset.path")
    if not root.is_dir():
        raise DataError(f"dataset.path: expected a folder with cat.N.jpg and dog.N.jpg in it, received '{named}'")
    paths = (Path(where, name) for where, _, files in os.walk(root) for name in files)
    return _picked(named, sorted(p.relative_to(root).as_posix() for p in paths), parts, lambda name: root / name)


def _picked(
    where: str, names: Sequence[str], parts: Sequence[Numbers], opener: Callable[[str], Path | IO[bytes]]
) -> Numbered:
    """The pictures of each part one after another, cat and dog in turn."""
    found: dict[tuple[int, int], str] = {}
    for name in names:
        if match := NAME.search(name):
            label = (match["folder"] or match["file"]).lower()
            key = LABELS.index(label), int(match["number"])
            if key in found:
                raise DataError(f"{where}: two pictures are {label} number {key[1]}: {found[key]} and {name}")
            found[key] = name
    wanted = [(label, number) for part in parts for number in range(*part) for label in range(len(LABELS))]
    if missing := [key for key in wanted if key not in found]:
        raise DataError(f"{where}: {_lacks(missing, list(found))}")
    return Numbered(where, [found[key] for key in wanted], [label for label, _ in wanted], opener)


def _lacks(missing: list[tuple[int, int]], found: list[tuple[int, int]]) -> str:
    """Which pictures are not there, class by class, and what is."""
    said = []
    for i, label in enumerate(LABELS):
        there = [number for one, number in found if one == i]
        lacking = [number for one, number in missing if one == i]
        if not there:
            said.append(f"no picture of a {label} is there, expected {label}.N.jpg or {label.capitalize()}/N.jpg")
        elif lacking:
            numbers = f"{len(lacking):,} pictures of a {label} are missing, the first is number {lacking[0]}"
            said.append(f"{numbers}; there are {len(there):,}, numbers {min(there)} to {max(there)}")
    return ". ".join(said) + ". dataset.train, .validation and .test say which file numbers are taken"
