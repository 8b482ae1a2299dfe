"""Film reviews, positive or negative: 25,000 + 25,000, as multi-hot word vectors (section 3.4)."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from torch import Tensor

from dlrun.contracts import Bags, Data, DataSpec, InputSpec, Rows, TargetSpec
from dlrun.datasets import _imdb_sample
from dlrun.datasets._cache import encoded
from dlrun.datasets._files import File, Source, checksum, fetch, read_verified, resolve
from dlrun.datasets._imdb_encoding import encode_parts
from dlrun.datasets._imdb_raw import Part, read_archive
from dlrun.datasets._texts import Vocabulary, Words, column, read_word_index
from dlrun.types import Natural

ENCODING = 1  # raise when the encoded tensors change
LARGEST_RANK = 88_584  # of the words in imdb.npz

_KERAS = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
PACKED = File(
    "imdb",
    "imdb.npz",
    _KERAS + "imdb.npz",
    "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f",
    17_464_789,
)
WORD_INDEX = File(
    "imdb",
    "imdb_word_index.json",
    _KERAS + "imdb_word_index.json",
    "027313fe9a320280f3bf0fac5baf58c4a683cf39a7ed9c3d3d3912bde4284cf6",
    1_641_221,
)
LABELLED = File(  # the official archive without its unlabelled reviews: a mirror may hold it
    "imdb",
    "aclImdb_labelled.tar.xz",
    None,
    "0205cf3c22a5af1d28cec35a6ded79838998b1d46e4fd065a032ac99becfc8c8",
    20_690_124,
)
OFFICIAL = File(
    "imdb",
    "aclImdb_v1.tar.gz",
    "https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz",
    "c40f74a18d3b61f90feba1e17730e0d38e8b97c05fde7008942e91923d1658fe",
    84_125_825,
)
FILES = (PACKED, WORD_INDEX)

LABELS = ("negative", "positive")


@dataclass
class Imdb:
    """See contracts.Dataset. `review`: multi-hot Bags, values int32; `sentiment`: float32 [N], 1 is positive.

    `Data.extras["sequences"]` is a function from a part's name to its reviews in order, as Bags of indices.
    """

    source: Source
    num_words: int
    index_from: int
    files: Literal["packed", "raw"]
    spec: DataSpec = field(init=False)
    _resolved: Literal["real", "sample"] | None = field(default=None, init=False)
    _vocabulary: Vocabulary = field(init=False)

    def __post_init__(self) -> None:
        self.spec = DataSpec(
            inputs={"review": InputSpec(shape=(self.num_words,), encoding="multi_hot")},
            targets={"sentiment": TargetSpec("binary", classes=2, labels=LABELS)},
            rows={"train": 25_000, "test": 25_000},
        )
        self._vocabulary = Vocabulary(self.num_words, self.index_from, self._word_index)

    def resolve_source(self) -> Literal["real", "sample"]:
        """Real, or sample where that was asked for or `auto` found no files."""
        if self._resolved is None:
            self._resolved = resolve(self.source, "imdb", self._fetch)
        return self._resolved

    def load(self) -> Data:
        """All reviews; encoded once for these arguments, then mapped from the cache. Raises DataError."""
        source = self.resolve_source()
        columns: Mapping[str, Tensor]
        if source == "sample":
            checksums = {}
            columns = encode_parts(_imdb_sample.write(), self.num_words, self.index_from)
        else:
            checksums = {path.name: checksum(path) for path in self._fetch()}
            key = {
                "encoding": ENCODING,
                "checksums": checksums,
                "num_words": self.num_words,
                "index_from": self.index_from,
            }
            columns = encoded("imdb", key, self._encode_files)
        train, test = (
            Rows({"review": column(columns, f"{part}_review")}, {"sentiment": columns[f"{part}_sentiment"]})
            for part in ("train", "test")
        )

        def sequences(part: str) -> Bags:  # not needed for training: read when somebody asks
            return column(columns, f"{part}_sequence")

        return Data(self.spec, train, test, source=source, extras={"sequences": sequences}, checksums=checksums)

    def encode(self, raw: str) -> Rows:
        """One row from a review, or from the path of a `.txt` file (UTF-8) that holds one."""
        return Rows({"review": self._vocabulary.encode(raw, "a review")}, {})

    def describe(self, data: Data, part: str, row: int) -> str:
        """The label and the review as words; `?` for its start and for words outside the vocabulary."""
        values, offsets = data.extras["sequences"](part)
        text = self._vocabulary.decode(values[offsets[row] : offsets[row + 1]].tolist())
        label = LABELS[int(getattr(data, part).targets["sentiment"][row])]
        return f"{label}: {text}"

    def _fetch(self) -> list[Path]:
        """The files that the encoding reads."""
        return [fetch(PACKED)] if self.files == "packed" else [fetch(LABELLED, OFFICIAL), fetch(WORD_INDEX)]

    def _word_index(self) -> dict[bytes, int]:
        return _read_word_index() if self.resolve_source() == "real" else _imdb_sample.word_index()

    def _encode_files(self) -> dict[str, Tensor]:
        if self.files == "packed":
            parts = _read_packed()
        else:
            parts = read_archive(fetch(LABELLED, OFFICIAL), self._vocabulary.ranks)
        assert {part: len(labels) for part, (_, labels) in parts.items()} == self.spec.rows
        return encode_parts(parts, self.num_words, self.index_from)


def build(
    *,
    source: Source = "real",
    num_words: Words | None = 10000,
    index_from: Natural = 3,
    files: Literal["packed", "raw"] = "packed",
) -> Imdb:
    """The reviews as Keras's `imdb.load_data` gives them.

    source: `real`, `sample` (2,500 + 2,500 reviews made here) or `auto` (real where it can be had).
    num_words: vocabulary; indices from here on become 2, "unknown". None keeps all 88,584 words.
    index_from: added to a word's rank; 0 is padding, 1 the start of a review, 2 unknown.
    files: `packed` reads Keras's imdb.npz; `raw` the archive of reviews, with the same result.
    """
    return Imdb(source, num_words or LARGEST_RANK + index_from + 1, index_from, files)


def _read_packed() -> dict[str, Part]:
    # The arrays are pickled objects: only bytes whose checksum holds are unpickled.
    with np.load(io.BytesIO(read_verified(PACKED)), allow_pickle=True) as arrays:
        return {part: (arrays[f"x_{part}"].tolist(), arrays[f"y_{part}"].tolist()) for part in ("train", "test")}


def _read_word_index() -> dict[bytes, int]:
    return read_word_index(WORD_INDEX)
