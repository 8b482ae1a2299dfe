"""Two sentences as sequences of vectors, do they mean the same? Made data for shared layers (section 7.1.5)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
import torch
from pydantic import Field

from dlrun.contracts import Column, Data, DataSpec, InputSpec, Rows, TargetSpec
from dlrun.datasets import _made, _named_inputs
from dlrun.datasets._files import Source
from dlrun.types import Count

LABELS = ("unrelated", "same meaning")
MEANINGS = 8
STRENGTH = 0.5  # of the meaning in the vector of each word, whose other parts have a deviation of 1
NOISE = 0.5  # deviation of what rewording changes in each number
FARTHEST = 2  # words that a reworded sentence is shifted by


@dataclass
class SentencePairs(_made.Made):
    """See contracts.Dataset. `left` and `right`: float32 [N, length, width]; `same`: float32 [N], 1 is the same
    meaning.

    `Data.extras["meanings"]`: by part, int64 [N, 2], of the left and of the right sentence.
    """

    source: Source
    n: int
    length: int
    width: int
    spec: DataSpec = field(init=False)

    def __post_init__(self) -> None:
        sentence = InputSpec((self.length, self.width))
        self.spec = DataSpec(
            inputs={"left": sentence, "right": sentence},
            targets={"same": TargetSpec("binary", classes=2, labels=LABELS)},
            rows={"train": self.n, "test": self.n},
        )

    def load(self) -> Data:
        """Makes all rows."""
        themes = np.random.default_rng(_made.SEED).standard_normal((MEANINGS, self.width), np.float32)
        n = _made.rows_of(self.source, self.n)
        parts, meanings = {}, {}
        for part, random in _made.generators().items():
            parts[part], meanings[part] = self._rows(n, random, themes)
        return Data(self.spec, parts["train"], parts["test"], self.resolve_source(), extras={"meanings": meanings})

    def encode(self, raw: str) -> Rows:
        """One row from `{"left": [[…], …], "right": [[…], …]}`, a list of numbers per word."""
        return _named_inputs.row(raw, self.spec.inputs)

    def describe(self, data: Data, part: str, row: int) -> str:
        """Such as `unrelated: meanings 3 and 5, 20 words of 128 numbers each`."""
        left, right = data.extras["meanings"][part][row]
        label = LABELS[int(getattr(data, part).targets["same"][row])]
        return f"{label}: meanings {left} and {right}, {self.length} words of {self.width} numbers each"

    def _rows(self, n: int, random: np.random.Generator, themes: np.ndarray) -> tuple[Rows, np.ndarray]:
        shape = n, self.length, self.width
        same = random.random(n) < 0.5
        left = random.integers(0, MEANINGS, n)
        right = np.where(same, left, (left + random.integers(1, MEANINGS, n)) % MEANINGS)
        words = STRENGTH * themes[left][:, None] + random.standard_normal(shape, np.float32)
        shift = random.integers(0, FARTHEST + 1, n)
        places = (np.arange(self.length) + shift[:, None]) % self.length
        other = STRENGTH * themes[right][:, None] + random.standard_normal(shape, np.float32)
        moved = np.take_along_axis(words, places[:, :, None], 1)
        reworded = np.where(same[:, None, None], moved, other)
        reworded += np.float32(NOISE) * random.standard_normal(shape, np.float32)
        inputs: dict[str, Column] = {"left": torch.from_numpy(words), "right": torch.from_numpy(reworded)}
        return Rows(inputs, {"same": torch.from_numpy(same.astype(np.float32))}), np.stack([left, right], 1)


def build(
    *,
    n: Count = 2000,
    length: Annotated[int, Field(gt=FARTHEST)] = 20,
    width: Annotated[int, Field(ge=8)] = 128,
    source: Source = "real",
) -> SentencePairs:
    """Each sentence has one of 8 meanings, a direction that all its words lean to. In half the rows the right one is
    the left one reworded: shifted by up to two words and with noise; in the others it has another meaning.

    Either sentence alone tells nothing, nor does any sum of one number from each: a dense layer of one unit right
    after a concatenation is such a sum. Sides must meet in a product, an absolute difference or a hidden layer.

    n: rows for training, and as many for the test. length: words in a sentence. width: numbers in a word's vector.
    source: there is no other real thing than the made rows; `sample` makes two hundred, marked as sample.
    """
    return SentencePairs(source, n, length, width)
