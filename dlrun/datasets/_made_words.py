"""Made words for made tokens, so that a row can be read and typed: the word is its number, written in syllables."""

from __future__ import annotations

from collections.abc import Iterable

from dlrun.datasets._made_texts import SYLLABLES

BASE = len(SYLLABLES)
SPREAD = 40_503  # odd, so that each number has a word of its own; neighbours then look nothing alike
PLACE = {syllable: place for place, syllable in enumerate(SYLLABLES)}


def text(numbers: Iterable[int], vocabulary: int) -> str:
    """The words of `numbers`, each below `vocabulary`, with spaces between; 0 is padding and left out."""
    return " ".join(word(int(n), vocabulary) for n in numbers if n)


def word(number: int, vocabulary: int) -> str:
    """As many syllables as the last word of the vocabulary has."""
    length = _length(vocabulary)
    spread = number * SPREAD % BASE**length
    return "".join(SYLLABLES[spread // BASE**place % BASE] for place in range(length))


def number(word: str, vocabulary: int) -> int | None:
    """The number of a word; None where it is none of the vocabulary."""
    syllables = [word[i : i + 2] for i in range(0, len(word), 2)]
    length = _length(vocabulary)
    if len(syllables) != length or not PLACE.keys() >= set(syllables):
        return None
    spread = sum(PLACE[syllable] * BASE**place for place, syllable in enumerate(syllables))
    found = spread * pow(SPREAD, -1, BASE**length) % BASE**length
    return found if 0 < found < vocabulary else None


def _length(vocabulary: int) -> int:
    length = 1
    while BASE**length < vocabulary:
        length += 1
    return length
