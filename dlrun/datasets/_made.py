"""What datasets have in common that are made rather than read: `line`, `clock`, `question_answering` and others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from dlrun.datasets._files import Source

SEED = 7  # made data are the same in every run: `seed=` changes the model, not them
SAMPLE = 200  # rows of a part of what has thousands


class Made:
    """See contracts.Dataset: what all of them have."""

    source: Source

    def resolve_source(self) -> Literal["real", "sample"]:
        """These data are made by definition, no other thing is real: `real` and `auto` are the made rows. `sample`
        is marked as sample in every table because that is what was asked for."""
        return "sample" if self.source == "sample" else "real"


def generators() -> dict[str, np.random.Generator]:
    """A random stream for each part: their draws are independent of each other, and of the other part's length."""
    return {part: np.random.default_rng([SEED, i]) for i, part in enumerate(("train", "test"))}


def rows_of(source: Source, n: int) -> int:
    """How many of `n` rows a part has: sample data are few, so that a net of any size runs through them."""
    return min(n, SAMPLE) if source == "sample" else n


def tokens(
    random: np.random.Generator,
    shape: tuple[int, int],
    vocabulary: int,
    topics: Sequence[np.ndarray] = (),
    share: float = 0.0,
    words: int = 1,
) -> Tensor:
    """N sequences of T words as numbers from 1 to `vocabulary` - 1, in as few bits as hold them.

    shape: N, T. topics: several of each sequence, whole numbers [N] each; topic t has `words` words of its own, from
    1 + t * words on. share: chance of each topic to have the word at a place; all other places have any word.
    """
    found = random.integers(1, vocabulary, shape)
    turn = (random.random(shape) / share).astype(np.int64) if topics else None
    for i, topic in enumerate(topics):
        own = 1 + words * topic[:, None] + random.integers(0, words, shape)
        found = np.where(turn == i, own, found)
    return torch.from_numpy(found.astype(np.uint16 if vocabulary <= 2**16 else np.int32))
