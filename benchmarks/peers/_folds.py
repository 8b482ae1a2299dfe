"""Boston's folds one after another: what all contenders of `benchmarks/folds.py` do around their training.

Each is `python boston_x.py FOLDS REPEATS EPOCHS [its own words]`. Needs numpy only, see `_turns.py`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import _data
import numpy as np
from _turns import answer

BATCH, VALIDATION_BATCH = 1, 101  # a held-out fold at once, for everybody: row by row costs a third more
LR, RHO, EPSILON = 0.001, 0.9, 1e-8


@dataclass
class Fold:
    """What one model trains on and what it is judged by: float32 [N, 13] and [N]."""

    x: np.ndarray
    y: np.ndarray
    val_x: np.ndarray
    val_y: np.ndarray


@dataclass
class Trained:
    """epoch_seconds: updates of each epoch, without validation where it can be told apart. mae: the last epoch's
    validation."""

    epoch_seconds: list[float]
    mae: float


def run(train: Callable[[Fold, int], Trained]) -> None:
    """Train every fold for the epochs of the command line and answer once, at the end.

    The first epoch of a fold, which warms up and compiles, is left out of `update_seconds` where there are others.
    """
    n_folds, repeats, epochs = map(int, sys.argv[1:4])
    updates, counted, seconds, update_seconds, maes = 0, 0, 0.0, 0.0, []
    for fold in _folds(n_folds, repeats):
        began = time.perf_counter()
        trained = train(fold, epochs)
        seconds += time.perf_counter() - began
        later = trained.epoch_seconds[1:] or trained.epoch_seconds
        updates += len(fold.x) * epochs
        counted += len(fold.x) * len(later)
        update_seconds += sum(later)
        maes.append(trained.mae)
    answer(updates=updates, train_seconds=seconds, update_seconds=update_seconds / counted, mae=sum(maes) / len(maes))


def _folds(n_folds: int, repeats: int) -> Iterator[Fold]:
    """Contiguous for one repeat, as in the book's listing 3-27; shuffled anew for each of several."""
    x, y = _data.boston()
    rng = np.random.default_rng(0)
    for _ in range(repeats):
        order = np.arange(len(x)) if repeats == 1 else rng.permutation(len(x))
        for held in np.array_split(order, n_folds):
            rest = np.setdiff1d(order, held)
            yield Fold(x[rest], y[rest], x[held], y[held])
