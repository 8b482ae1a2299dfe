"""Newswires of 46 topics: 8,982 + 2,246, as multi-hot word vectors (section 3.5)."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from dlrun.contracts import Bags, Data, DataSpec, InputSpec, Rows, TargetSpec
from dlrun.datasets import _reuters_sample
from dlrun.datasets._cache import encoded
from dlrun.datasets._files import File, Source, checksum, fetch, read_verified, resolve
from dlrun.datasets._texts import SEED, Vocabulary, Words, column, columns, read_word_index
from dlrun.types import Natural

ENCODING = 1  # raise when the encoded tensors change
LARGEST_RANK = 30_979  # of the words in reuters.npz
TEST_SHARE = 0.2

_KERAS = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
PACKED = File(
    "reuters",
    "reuters.npz",
    _KERAS + "reuters.npz",
    "d6586e694ee56d7a4e65172e12b3e987c03096cb01eab99753921ef915959916",
    2_110_848,
)
WORD_INDEX = File(
    "reuters",
    "reuters_word_index.json",
    _KERAS + "reuters_word_index.json",
    "9b56000edc4b34a32e89fd5a23b2605594682c74efcf7d8f4e2a5514b771e633",
    550_378,
)
FILES = (PACKED, WORD_INDEX)

_NAMES = """
cocoa grain veg-oil earn acq wheat copper housing money-supply coffee sugar trade reserves ship cotton carcass crude
nat-gas cpi money-fx interest gnp meal-feed alum oilseed gold tin strategic-metal livestock retail ipi iron-steel
rubber heat jobs lei bop zinc orange pet-chem dlr gas silver wpi hog lead
"""
TOPICS = tuple(_NAMES.split())
"""By class: the order of Keras's `reuters.get_label_names`."""


@dataclass
class Reuters:
    """See contracts.Dataset. `newswire`: multi-hot Bags, values int32; `topic`: int64 [N], 0 to 45.

    `Data.extras["sequences"]` is a function from a part's name to its newswires in order, as Bags of indices.
    """

    source: Source
    num_words: int
    index_from: int
    spec: DataSpec = field(init=False)
    _resolved: Literal["real", "sample"] | None = field(default=None, init=False)
    _vocabulary: Vocabulary = field(init=False)

    def __post_init__(self) -> None:
        self.spec = DataSpec(
            inputs={"newswire": InputSpec(shape=(self.num_words,), encoding="multi_hot")},
            targets={"topic": TargetSpec("multiclass", classes=len(TOPICS), labels=TOPICS)},
            rows={"train": 8_982, "test": 2_246},
        )
        self._vocabulary = Vocabulary(self.num_words, self.index_from, self._word_index)

    def resolve_source(self) -> Literal["real", "sample"]:
        """Real, or sample where that was asked for or `auto` found no files."""
        if self._resolved is None:
            self._resolved = resolve(self.source, "reuters", lambda: fetch(PACKED))
        return self._resolved

    def load(self) -> Data:
        """All newswires; encoded once for these arguments, then mapped from the cache. Raises DataError."""
        source = self.resolve_source()
        found: Mapping[str, Tensor]
        if source == "sample":
            checksums = {}
            found = encode_all(*_reuters_sample.write(TOPICS), self.num_words, self.index_from)
        else:
            path: Path = fetch(PACKED)
            checksums = {path.name: checksum(path)}
            key = {
                "encoding": ENCODING,
                "checksums": checksums,
                "num_words": self.num_words,
                "index_from": self.index_from,
            }
            found = encoded("reuters", key, self._encode_file)
        train, test = (
            Rows({"newswire": column(found, f"{part}_newswire")}, {"topic": found[f"{part}_topic"]})
            for part in ("train", "test")
        )

        def sequences(part: str) -> Bags:  # not needed for training: read when somebody asks
            return column(found, f"{part}_sequence")

        return Data(self.spec, train, test, source=source, extras={"sequences": sequences}, checksums=checksums)

    def encode(self, raw: str) -> Rows:
        """One row from a newswire, or from the path of a `.txt` file (UTF-8) that holds one."""
        return Rows({"newswire": self._vocabulary.encode(raw, "a newswire")}, {})

    def describe(self, data: Data, part: str, row: int) -> str:
        """The topic and the newswire as words; `?` for its start and for words outside the vocabulary."""
        values, offsets = data.extras["sequences"](part)
        text = self._vocabulary.decode(values[offsets[row] : offsets[row + 1]].tolist())
        return f"{TOPICS[int(getattr(data, part).targets['topic'][row])]}: {text}"

    def _word_index(self) -> dict[bytes, int]:
        if self.resolve_source() == "sample":
            return _reuters_sample.word_index(TOPICS)
        return read_word_index(WORD_INDEX)

    def _encode_file(self) -> dict[str, Tensor]:
        # The arrays are pickled objects: only bytes whose checksum holds are unpickled.
        with np.load(io.BytesIO(read_verified(PACKED)), allow_pickle=True) as arrays:
            found = encode_all(arrays["x"].tolist(), arrays["y"].tolist(), self.num_words, self.index_from)
        assert {part: len(found[f"{part}_topic"]) for part in ("train", "test")} == self.spec.rows
        return found


def encode_all(sequences: list[list[int]], topics: list[int], num_words: int, index_from: int) -> dict[str, Tensor]:
    """Columns of both parts as Keras's `reuters.load_data` cuts them: all rows shuffled, the last fifth is the test.

    For a part `p`: `p_sequence_*` and `p_newswire_*` as `_texts.columns` gives them; `p_topic` int64 [N].
    """
    order = np.arange(len(sequences))
    np.random.RandomState(SEED).shuffle(order)
    cut = int(len(order) * (1 - TEST_SHARE))
    found: dict[str, Tensor] = {}
    for part, rows in (("train", order[:cut]), ("test", order[cut:])):
        found |= columns(part, "newswire", [sequences[i] for i in rows], num_words, index_from)
        found[f"{part}_topic"] = torch.from_numpy(np.array(topics, np.int64)[rows])
    return found


def build(*, source: Source = "real", num_words: Words | None = 10000, index_from: Natural = 3) -> Reuters:
    """The newswires as Keras's `reuters.load_data` gives them.

    source: `real`, `sample` (3,600 + 900 newswires made here) or `auto` (real where it can be had).
    num_words: vocabulary; indices from here on become 2, "unknown". None keeps all 30,979 words.
    index_from: added to a word's rank; 0 is padding, 1 the start of a newswire, 2 unknown.
    """
    return Reuters(source, num_words or LARGEST_RANK + index_from + 1, index_from)
