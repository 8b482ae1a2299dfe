"""Texts made here of words that are drawn: what the samples of imdb and reuters share."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np

SYLLABLES = ("ba", "ce", "di", "fo", "gu", "la", "me", "ni", "ro", "su", "ta", "ve", "wi", "zo", "ka", "pe")


def made_words() -> list[str]:
    """4,096 words of three syllables, all different."""
    return ["".join(syllables) for syllables in product(SYLLABLES, repeat=3)]


def cumulative(weights: np.ndarray) -> np.ndarray:
    """Running sums of `weights` [V], the chances of V words, as shares of the whole."""
    sums = weights.cumsum()
    return sums / sums[-1]  # the last is exactly 1


def write_texts(chances: Sequence[np.ndarray], lengths: np.ndarray, random: np.random.Generator) -> list[list[int]]:
    """N texts as ranks, which start at 1. chances: of each text's words, cumulative [V]. lengths: in words, [N]."""
    draws = np.split(random.random(lengths.sum()), lengths.cumsum()[:-1])
    return [(np.searchsorted(chance, draw) + 1).tolist() for chance, draw in zip(chances, draws, strict=True)]
