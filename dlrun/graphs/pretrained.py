"""Pretrained blocks: the pinned files of their ImageNet weights, and the pixels that each was learned on."""

from __future__ import annotations

import functools
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from torch import nn

from dlrun.datasets._files import File, fetch
from dlrun.errors import ConfigError, Problem, available, nearest
from dlrun.graphs.weight_files import H5, NO_H5, find, readable_h5
from dlrun.graphs.weights import load_part
from dlrun.layers.image_preprocessing import MODES

log = logging.getLogger("dlrun")

IMAGENET, NONE = "imagenet", "none"
HUB = "https://download.pytorch.org/models/"
FOLDER = "weights"
"""Below the cache and the mirrors."""

KEYS = ("file", "preprocessing", "bytes", "url", "sha256")
OTHERWISE = "weights=none begins with random ones, weights=FILE with a file of your own"


@dataclass(frozen=True)
class Pinned:
    """One file of a block's weights. preprocessing: a mode of the layer `image_preprocessing`."""

    file: File
    preprocessing: str


class Chosen(NamedTuple):
    """The file that `weights` means, if any, and what pixels it was learned on, if that is known."""

    file: Path | None
    preprocessing: str | None


def pinned(written: Any, path: str, problems: list[Problem]) -> tuple[Pinned, ...]:
    """The `imagenet` of a block's YAML: files in the order in which they are looked for. url: None where there is none,
    torchvision's if nothing is said; sha256: what torchvision's file names end in, if nothing is said."""
    found = []
    for i, one in enumerate(written if isinstance(written, list) else [written]):
        where = f"{path}.{i}"
        if not isinstance(one, Mapping) or not {"file", "preprocessing"} <= set(one) <= set(KEYS):
            problems.append(Problem(where, f"expected file and preprocessing, received {one!r}", available(KEYS)))
            continue
        name, mode = str(one["file"]), str(one["preprocessing"])
        ending = re.search(r"-([0-9a-f]{8,})\.", name)
        sha256 = one.get("sha256", ending and ending[1])
        if mode not in MODES:
            problems.append(Problem(f"{where}.preprocessing", f"no mode '{mode}'", available(MODES)))
        if not sha256:
            problems.append(Problem(f"{where}.sha256", "missing, and the file's name does not end in it"))
            continue
        found.append(Pinned(File(FOLDER, name, one.get("url", HUB + name), sha256, int(one.get("bytes", 0))), mode))
    return tuple(found)


def choose(weights: str, files: Sequence[Pinned], path: str, sample: bool = False) -> Chosen:
    """What `weights` means for a block with such pinned files: `imagenet` the first of them that can be had, the name
    of one that one, another name a file of the user's, `none` nothing. path: the key, for messages.

    Looked for in the cache, the mirrors and at the official address. sample: the data are sample data, which need no
    files; so weights of ImageNet are left as they were drawn. Raises ConfigError and DataError.
    """
    named = [one for one in files if one.file.name == weights]
    usual = files[0].preprocessing if files else "none"
    if weights == NONE or (sample and (weights == IMAGENET or named)):
        return Chosen(None, usual)
    if weights != IMAGENET and not named:
        try:
            return Chosen(find(weights, path), None)
        except ConfigError as error:
            (problem,) = error.problems
            words = [IMAGENET, NONE, *(one.file.name for one in files)]
            hint = f"{nearest(weights, words)} {available(words)}; {problem.hint}".strip()
            raise ConfigError(Problem(path, problem.message, hint)) from None
    if not files:
        raise ConfigError(Problem(path, "this block knows no weights of ImageNet", "name a file, or none"))
    wanted = named or files
    there = [one for one in wanted if readable_h5() or not one.file.name.endswith(H5)]
    if not there:
        raise ConfigError(Problem(path, f"{weights} can't be read", NO_H5))
    left = [one.file.name for one in wanted if one not in there]
    more = "".join(f"\n  - {NO_H5.replace('this file', name)}" for name in left)
    found = fetch(*(one.file for one in there), otherwise=OTHERWISE + more)
    return Chosen(found, next(one.preprocessing for one in there if one.file.name == found.name))


def begin(block: nn.Module, weights: str, files: Sequence[Pinned], path: str, sample: bool = False) -> None:
    """Give a block such weights; its `fingerprint` is then that of the file. Raises ConfigError and DataError."""
    chosen = choose(weights, files, path, sample)
    if chosen.file is not None:
        block.fingerprint = load_part(block, chosen.file, path)  # type: ignore[assignment]
        _say(path, str(chosen.file), str(block.fingerprint))
    elif weights != NONE:
        _drawn(path, weights)


@functools.lru_cache
def _say(path: str, file: str, sha256: str) -> None:
    """Once for each file and place."""
    log.info("%s: %s, sha256 %s", path, file, sha256)


@functools.lru_cache
def _drawn(path: str, weights: str) -> None:
    log.warning("%s: with sample data, %s weights are random ones", path, weights)
