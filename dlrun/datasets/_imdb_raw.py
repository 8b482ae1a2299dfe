"""The archive of reviews behind imdb.npz."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Mapping
from pathlib import Path

from dlrun.datasets._texts import words

_MEMBER = re.compile(r"aclImdb/(train|test)/(pos|neg)/\d+_\d+\.txt")

Part = tuple[list[list[int]], list[int]]
"""Sequences of word ranks (1 is the most frequent word), and labels (1 is positive)."""


def read_archive(path: Path, word_index: Mapping[bytes, int]) -> dict[str, Part]:
    """`train` and `test` of an archive in the layout of aclImdb_v1.tar.gz, read in one stream.

    word_index: word to rank; words that it lacks are left out. Rows are in the order of imdb.npz before the
    shuffle: positive reviews first, each kind by file name as text.
    """
    found: dict[str, list[tuple[bool, str, list[int]]]] = {"train": [], "test": []}
    with tarfile.open(path, "r|*") as archive:
        for member in archive:
            if (match := _MEMBER.fullmatch(member.name)) and (stream := archive.extractfile(member)):
                ranks = [word_index[word] for word in words(stream.read()) if word in word_index]
                part, kind = match.groups()
                found[part].append((kind == "neg", member.name, ranks))
    for reviews in found.values():
        reviews.sort(key=lambda review: review[:2])
    return {
        part: ([ranks for _, _, ranks in reviews], [int(not negative) for negative, _, _ in reviews])
        for part, reviews in found.items()
    }
