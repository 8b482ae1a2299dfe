"""What a dataset is made of: its files and where they lie, and its rows as a sheet of pictures."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from dlrun import registry, sheets
from dlrun.errors import ConfigError, Problem, available, nearest

if TYPE_CHECKING:
    from torch import Tensor

    from dlrun.contracts import Data, TargetSpec
    from dlrun.datasets._files import File

SHEET = 5  # pictures along each side of a sheet

State = Literal["cached", "wrong size", "in a mirror", "missing"]


def files_of(name: str) -> tuple[File, ...]:
    """The files that a dataset's module declares as `FILES`; empty where its rows are made or the user's own. Of
    several that serve alike, a tuple there, the one that is nearest."""
    files: tuple[File | tuple[File, ...], ...] = getattr(
        sys.modules[registry.load("dataset", name).__module__], "FILES", ()
    )
    return tuple(_nearest(one) if isinstance(one, tuple) else one for one in files)


def _nearest(alike: tuple[File, ...]) -> File:
    """In the cache, in a mirror, or else one that has an address."""
    states = [state(file) for file in alike]
    for wanted in ("cached", "in a mirror"):
        if wanted in states:
            return alike[states.index(wanted)]
    return next(file for file in alike if file.url)


def without_files(name: str) -> str:
    """Where the rows of a dataset come from that declares no files."""
    return "yours" if "path" in registry.arguments(registry.load("dataset", name)) else "made here"


def known(names: Sequence[str]) -> list[str]:
    """The datasets that are meant: those named, each once, else all. Raises ConfigError for unknown names."""
    there = registry.names("dataset")
    problems = [
        Problem("", f"no dataset is called '{name}'", f"{nearest(name, there)} {available(there)}".strip())
        for name in names
        if name not in there
    ]
    if problems:
        raise ConfigError(problems)
    return list(dict.fromkeys(names)) or there


def state(file: File) -> State:
    """Where a file lies; nothing is hashed, and no address is asked."""
    if file.path.exists():
        # where several checksums are accepted, so are several sizes
        right = len(file.accepted) > 1 or file.path.stat().st_size == file.bytes
        return "cached" if right else "wrong size"
    return "in a mirror" if _in_mirror(file) else "missing"


def checked(file: File) -> str:
    """What is wrong with a cached file, all of it hashed now; empty when it is right. What is wrong will not be
    used: the next fetch replaces it."""
    from dlrun.datasets import _files

    try:
        problem = _files.content_problem(file.path, file)
    except OSError as error:
        return _files.reason(error)
    if problem:
        _files.mark_path(file.path).unlink(missing_ok=True)
    return problem


def sheet(data: Data, name: str, path: Path, title: str) -> int:
    """Write a PNG of 25 training rows from the first to the last, in even steps, with their labels.

    name: the input to show. Returns how many are on it. Raises RunError when the file can't be written.
    """
    import numpy as np

    column = data.train.inputs[name]
    rows = np.unique(np.linspace(0, len(data.train) - 1, SHEET * SHEET).round().astype(int))
    tiles = []
    for row in rows.tolist():
        labels = [_label(target, data.train.targets[key][row]) for key, target in data.spec.targets.items()]
        tiles.append(sheets.Tile(column[row].numpy(), ", ".join(labels)))
    sheets.draw(tiles, SHEET, path, title)
    return len(rows)


def _label(target: TargetSpec, value: Tensor) -> str:
    if value.ndim:
        return " ".join(_label(target, part) for part in value)
    if target.labels and target.problem in ("binary", "multiclass"):
        return target.labels[int(value)]
    return f"{float(value):.4g}{target.unit and ' '}{target.unit}"


def _in_mirror(file: File) -> bool:
    """Whether a mirror that is a folder has the file."""
    from dlrun.datasets._files import local_path, mirrors

    folders = [m for m in mirrors() if urlsplit(m).scheme not in ("http", "https")]
    return any(local_path(f"{folder}/{file.dataset}/{file.name}").is_file() for folder in folders)
