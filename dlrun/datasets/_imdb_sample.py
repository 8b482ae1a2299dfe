"""Reviews made here: a stand-in for IMDB that needs no files."""

from __future__ import annotations

import numpy as np

from dlrun.datasets._imdb_raw import Part
from dlrun.datasets._made_texts import cumulative, made_words, write_texts

ROWS = {"train": 2_500, "test": 2_500}
NOISE = 0.04  # share of reviews with the wrong label, so that none should reach accuracy 1 on new rows

_COMMON = """
the and a of to is in it this that was as for with movie but film on not you are his have be one he
all at by an they who so from like or just about out if has there what some good when very up no
time even my would which only story really see their had can we were well than much more other also
into people scene plot
"""
_POSITIVE = """
wonderful great excellent superb brilliant moving beautiful perfect favourite touching charming
delightful masterpiece loved fresh powerful gripping warm funny memorable witty elegant stunning
honest
"""
_NEGATIVE = """
awful terrible boring waste worst dull poor predictable stupid annoying mess lame pointless tedious
weak ridiculous flat hated cheap clumsy bland noisy shallow forgettable
"""


def vocabulary() -> list[str]:
    """The words by falling frequency: common ones, then leaning ones among made ones."""
    made = made_words()
    leaning = [word for pair in zip(_POSITIVE.split(), _NEGATIVE.split(), strict=True) for word in pair]
    mixed = [w for some in zip(leaning, made, strict=False) for w in some]
    return _COMMON.split() + mixed + made[len(leaning) :]


def word_index() -> dict[bytes, int]:
    """Word to rank; the most frequent word has rank 1."""
    return {word.encode(): rank for rank, word in enumerate(vocabulary(), start=1)}


def write(seed: int = 0) -> dict[str, Part]:
    """`train` and `test`: sequences of ranks, and labels, half of them positive up to the noise."""
    random = np.random.default_rng(seed)
    names = vocabulary()
    frequency = 1 / np.arange(10, len(names) + 10)
    # Clear words lean strongly. Some made words lean a little: something to learn by heart.
    lean = np.where(random.random(len(names)) < 0.3, random.normal(0, 0.5, len(names)), 0)
    lean[: len(_COMMON.split())] = 0
    for clear, strength in ((_POSITIVE, 0.6), (_NEGATIVE, -0.6)):
        lean[[names.index(word) for word in clear.split()]] = strength
    chances = {label: cumulative(frequency * np.exp((2 * label - 1) * lean)) for label in (0, 1)}
    return {part: _reviews(rows, chances, random) for part, rows in ROWS.items()}


def _reviews(rows: int, chances: dict[int, np.ndarray], random: np.random.Generator) -> Part:
    labels = np.arange(rows) % 2
    lengths = np.clip(random.lognormal(4.5, 0.5, rows), 10, 400).astype(int)
    sequences = write_texts([chances[int(label)] for label in labels], lengths, random)
    wrong = random.random(rows) < NOISE
    return sequences, np.where(wrong, 1 - labels, labels).tolist()
