"""The generator of listing 6-33 written anew from its description: whole arrays of windows, one batch after another."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def generator(
    data: np.ndarray, lookback: int, delay: int, first: int, last: int | None, step: int, batch_size: int, target: int,
    random: np.random.RandomState | None = None,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:  # fmt: skip
    """Batches [B, lookback / step, C] and their targets [B], for ever. random: draws reference rows; without it they
    follow each other."""
    end = len(data) - delay - 1 if last is None else last
    at = first + lookback
    while True:
        if random is not None:
            references = random.randint(first + lookback, end, size=batch_size)
        else:
            if at + batch_size >= end:
                at = first + lookback
            references = np.arange(at, min(at + batch_size, end))
            at += len(references)
        windows = np.stack([data[r - lookback : r : step] for r in references])
        yield windows, np.array([data[r + delay][target] for r in references])


def steps(rows: int, lookback: int, first: int, last: int | None, batch_size: int) -> int:
    """Batches of a whole pass, as listing 6-34 counts them."""
    return ((rows if last is None else last) - first - lookback) // batch_size
