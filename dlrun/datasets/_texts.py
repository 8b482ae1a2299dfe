"""Texts as Keras packs them: words, reserved indices, and the multi-hot form; shared by imdb and reuters."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from dlrun.contracts import Bags
from dlrun.datasets._files import File, fetch
from dlrun.errors import DataError

SEED = 113  # of Keras's shuffle, which fixes the order that positional splits rely on
START, OOV = 1, 2  # start of a text; a word outside the vocabulary. 0 stands for padding

Words = Annotated[int, Field(ge=3)]
"""A vocabulary with room for the reserved indices 0, 1 and 2."""

# Keras's filter characters become spaces. Only ASCII letters are made small: imdb.npz was made on bytes, so
# its word index has "mÁv", and a text lowered as Unicode would lose such words (22 of the 50,000 reviews).
_FILTERS = b'!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'
_TABLE = bytes.maketrans(_FILTERS, b" " * len(_FILTERS))


def words(text: bytes) -> list[bytes]:
    """The words of a UTF-8 text, as the Keras tokenizer splits them."""
    return [word for word in text.lower().translate(_TABLE).split(b" ") if word]


def indices(sequences: Sequence[Sequence[int]], num_words: int, index_from: int) -> Bags:
    """Texts of ranks as indices: START, then ranks + `index_from`, with OOV for `num_words` and above."""
    lengths = np.array([len(s) + 1 for s in sequences], np.int64)
    offsets = np.concatenate([[0], lengths.cumsum()])
    ranks = np.fromiter(chain.from_iterable(chain((START - index_from,), s) for s in sequences), np.int32)
    values = ranks + np.int32(index_from)
    values[values >= num_words] = OOV
    return Bags(torch.from_numpy(values), torch.from_numpy(offsets))


def multi_hot(texts: Bags, num_words: int) -> Bags:
    """Each row's distinct indices, ascending: where a 0/1 vector of `num_words` has its ones."""
    offsets = texts.offsets.numpy()
    rows = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    # One sort for all rows, row and index in one number. np.unique would hash them: 50 times slower here.
    both = np.sort(rows * num_words + texts.values.numpy())
    distinct = both[np.diff(both, prepend=-1) > 0]
    rows, values = np.divmod(distinct, num_words)
    lengths = np.bincount(rows, minlength=len(offsets) - 1)
    return Bags(
        torch.from_numpy(values.astype(np.int32)),
        torch.from_numpy(np.concatenate([[0], lengths.cumsum()])),
    )


def columns(
    part: str, name: str, sequences: Sequence[Sequence[int]], num_words: int, index_from: int
) -> dict[str, Tensor]:
    """`<part>_sequence_*`, the texts in order with their start mark, and `<part>_<name>_*`, the same as multi-hot
    rows; each as `values` int32 [T] and `offsets` int64 [N + 1]."""
    texts = indices(sequences, num_words, index_from)
    rows = multi_hot(texts, num_words)
    found: dict[str, Tensor] = {}
    for column, bags in (("sequence", texts), (name, rows)):
        found[f"{part}_{column}_values"], found[f"{part}_{column}_offsets"] = bags
    return found


def column(found: Mapping[str, Tensor], name: str) -> Bags:
    """The column `name` of what `columns` gave."""
    return Bags(found[f"{name}_values"], found[f"{name}_offsets"])


def read_word_index(file: File) -> dict[bytes, int]:
    """Word to rank of one of Keras's word indices; the most frequent word has rank 1. Raises DataError."""
    return {word.encode(): rank for word, rank in json.loads(fetch(file).read_bytes()).items()}


@dataclass
class Vocabulary:
    """Words and their indices. size: indices from here on become OOV. index_from: added to a word's rank.
    read: gives word to rank, when it is needed for the first time."""

    size: int
    index_from: int
    read: Callable[[], dict[bytes, int]]

    @cached_property
    def ranks(self) -> dict[bytes, int]:
        """Word to rank."""
        return self.read()

    def encode(self, raw: str, kind: str) -> Bags:
        """One multi-hot row from a text, or from the path of a `.txt` file (UTF-8) that holds one.
        kind: what the text should be, for the error. Raises DataError."""
        found = words(_text(raw))
        if not found:
            raise DataError(f"expected {kind} or the path of a .txt file, received no word in {raw!r}")
        beyond = self.size  # a rank that is outside every vocabulary of this size
        known = [self.ranks.get(word, beyond) for word in found]
        return multi_hot(indices([known], self.size, self.index_from), self.size)

    def decode(self, text: Iterable[int]) -> str:
        """Indices as words; `?` for the start and for words outside the vocabulary."""
        by_rank = {rank: word for word, rank in self.ranks.items()}
        return b" ".join(b"?" if i <= OOV else by_rank.get(i - self.index_from, b"?") for i in text).decode()


def _text(raw: str) -> bytes:
    if not raw.endswith(".txt") or "\n" in raw:
        return raw.encode(errors="surrogateescape")  # the very bytes of the command line
    try:
        content = Path(raw).read_bytes()
        content.decode()
    except (OSError, ValueError) as error:
        raise DataError(f"expected the path of a text file in UTF-8, received {raw!r}: {error}") from None
    return content
