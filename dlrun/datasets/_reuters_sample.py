"""Newswires made here: a stand-in for Reuters that needs no files."""

from __future__ import annotations

import numpy as np

from dlrun.datasets._made_texts import cumulative, made_words, write_texts

ROWS = 4_500  # train and test together, cut as the real ones are
FEWEST = 20  # of a topic, so that ten or more are left for training
NOISE = 0.05  # share of newswires with another topic's label, so that none should reach accuracy 1 on new rows
OWN = 10  # words that a topic uses more than others do
STRENGTH = 3.0  # how much more: e to this power
FREQUENT = (3, 4, 19, 16, 11, 20, 1)  # the topics with the most newswires, in order, as in the real data

_COMMON = """
the of to in said and a mln for vs dlrs it reuter pct on from is that its cts by at year be with will was billion
he has would an as not company shr net inc bank this or were are have which but market new last share trade corp
rate government stock
"""


def vocabulary(topics: tuple[str, ...]) -> list[str]:
    """The words by falling frequency: common ones, the words of the topics' names, made ones."""
    names = " ".join(topics).replace("-", " ").split()
    return list(dict.fromkeys(_COMMON.split() + names + made_words()))


def word_index(topics: tuple[str, ...]) -> dict[bytes, int]:
    """Word to rank; the most frequent word has rank 1."""
    return {word.encode(): rank for rank, word in enumerate(vocabulary(topics), start=1)}


def write(topics: tuple[str, ...], seed: int = 0) -> tuple[list[list[int]], list[int]]:
    """Sequences of ranks, and topics: a few have most of the newswires."""
    random = np.random.default_rng(seed)
    words = vocabulary(topics)
    frequency = 1 / np.arange(10, len(words) + 10)
    named = len(words) - len(made_words())
    chances = []
    for k, topic in enumerate(topics):
        lean = np.zeros(len(words))
        lean[named + k : named + k + OWN * len(topics) : len(topics)] = STRENGTH
        lean[[words.index(word) for word in topic.split("-")]] = STRENGTH
        chances.append(cumulative(frequency * np.exp(lean)))
    labels = np.repeat(np.arange(len(topics)), _counts(len(topics)))
    lengths = np.clip(random.lognormal(4.2, 0.6, len(labels)), 8, 400).astype(int)
    sequences = write_texts([chances[label] for label in labels], lengths, random)
    wrong = random.random(len(labels)) < NOISE
    labels[wrong] = random.permutation(labels[wrong])  # so that each topic keeps its number
    return sequences, labels.tolist()


def _counts(topics: int) -> np.ndarray:
    """Newswires of each topic."""
    order = [*FREQUENT, *(k for k in range(topics) if k not in FREQUENT)]
    share = np.arange(1, topics + 1) ** -1.5
    counts = np.zeros(topics, int)
    counts[order] = FEWEST + (share / share.sum() * (ROWS - FEWEST * topics)).astype(int)
    counts[order[0]] += ROWS - counts.sum()  # what rounding left over
    return counts
