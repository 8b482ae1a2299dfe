"""The pictures of a folder with one sub-folder per class, found by their names."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dlrun.datasets._csv_file import existing
from dlrun.errors import DataError

log = logging.getLogger("dlrun")

ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"})
VALIDATION = frozenset({"val", "valid", "validation"})
TRAIN = frozenset({"train", "training"})


@dataclass(frozen=True)
class Part:
    """Pictures of one part. files: below the user's folder. labels: the class of each, by number."""

    files: list[Path]
    labels: list[int]


@dataclass(frozen=True)
class Found:
    """What lies in a user's folder. classes: sorted. parts: train; val and test where there are such folders.
    ignored: files that are no pictures, by their ending."""

    root: Path
    classes: tuple[str, ...]
    parts: dict[str, Part]
    ignored: Counter[str]


@dataclass(frozen=True)
class Files:
    """See `_image_pixels.Pictures`. files: below `root`."""

    root: Path
    files: Sequence[Path]
    where: str

    @property
    def names(self) -> list[str]:
        """Below the folder."""
        return [str(file) for file in self.files]

    def open(self, i: int) -> Path:
        """Its path."""
        return self.root / self.files[i]


def find(named: str) -> Found:
    """Raises DataError where there are no pictures, a class has none, or there is one class only."""
    root = existing(named, "dataset.path")
    if not root.is_dir():
        raise DataError(f"dataset.path: expected a folder with a sub-folder of pictures per class, received '{named}'")
    roles = {_role(f.name): f for f in _folders(root)}
    tops: dict[str, Path] = {"train": root}
    if "train" in roles:
        tops = {role: roles[role] for role in ("train", "val", "test") if role in roles}
    ignored: Counter[str] = Counter()
    by_part = {part: _classes(root, top, ignored) for part, top in tops.items()}
    ignored.update(_ending(f.name) for top in {root, *tops.values()} for f in top.iterdir() if _counts(f))
    _check(named, tops, by_part)
    classes = tuple(by_part["train"])
    parts = {}
    for part, pictures in by_part.items():
        if strange := [c for c in pictures if c not in classes]:
            known = ", ".join(classes[:12])
            raise DataError(f"{tops[part]}: class '{strange[0]}' is not in {tops['train']}, which has {known}")
        pairs = [(file, classes.index(c)) for c, files in pictures.items() for file in files]
        parts[part] = Part([file for file, _ in pairs], [label for _, label in pairs])
    return Found(root, classes, parts, ignored)


def _role(name: str) -> str:
    lower = name.lower()
    return "train" if lower in TRAIN else "val" if lower in VALIDATION else lower


def _folders(folder: Path) -> list[Path]:
    return sorted(f for f in folder.iterdir() if f.is_dir() and not f.name.startswith("."))


def _classes(root: Path, top: Path, ignored: Counter[str]) -> dict[str, list[Path]]:
    """Class to its pictures, in order, folders below it included."""
    found = {}
    for folder in _folders(top):
        files = sorted(Path(where, name) for where, _, names in os.walk(folder) for name in names)
        files = [f for f in files if not f.name.startswith(".")]
        ignored.update(_ending(f.name) for f in files if f.suffix.lower() not in ENDINGS)
        found[folder.name] = [f.relative_to(root) for f in files if f.suffix.lower() in ENDINGS]
    return found


def _counts(file: Path) -> bool:
    """Whether it is a file beside the class folders, where pictures have no class."""
    return file.is_file() and not file.name.startswith(".")


def _ending(name: str) -> str:
    return Path(name).suffix.lower() or "no ending"


def _check(named: str, tops: dict[str, Path], by_part: dict[str, dict[str, list[Path]]]) -> None:
    expected = f"expected {tops['train']}/CLASS/PICTURE, with endings {' '.join(sorted(ENDINGS))}"
    if not any(by_part["train"].values()):
        raise DataError(f"dataset.path: no pictures in '{named}': {expected}")
    for part, pictures in by_part.items():
        if empty := [name for name, files in pictures.items() if not files]:
            lacking = ", ".join(empty[:12])
            raise DataError(f"{tops[part]}: no pictures of class {lacking}: fill its folder or remove it. {expected}")
    if len(by_part["train"]) == 1:
        only = next(iter(by_part["train"]))
        raise DataError(f"{tops['train']}: one class only, '{only}': there is nothing to learn. {expected}")
