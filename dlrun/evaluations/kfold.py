"""K models, each scored on the part of the rows that it has not seen (book 4.2.1, listings 4-2 and 3-27)."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from dlrun.errors import ConfigError, Problem
from dlrun.evaluations._scheme import Refit, Scheme, Stack, require_classes
from dlrun.seeds import derive
from dlrun.types import Count

Folds = Annotated[int, Field(ge=2)]


def build(
    *,
    n_splits: Folds = 4,
    shuffle: bool = True,
    stratify: bool = False,
    n_repeats: Count = 1,
    stack: Stack = "auto",
    stack_size: Count | None = None,
    refit: Refit = False,
    test: bool = False,
) -> Scheme:
    """Every row is validated once per repeat, also where `n_splits` does not divide the rows.

    Repeats train the same folds again with other initial weights; `iterated_kfold` reshuffles them.
    """
    return folds(n_splits, shuffle, stratify, False, n_repeats, stack, stack_size, refit, test)


def folds(
    n_splits: int,
    shuffle: bool,
    stratify: bool,
    reshuffle: bool,
    n_repeats: int,
    stack: Stack,
    stack_size: int | None,
    refit: Refit,
    test: bool,
) -> Scheme:
    """K-fold of both kinds. reshuffle: other folds in each repeat."""

    def split_once(
        targets: np.ndarray, seed: int, repeat: int, scale: float, given: int
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        from sklearn.model_selection import KFold, StratifiedKFold

        if n_splits > len(targets):
            raise ConfigError(
                Problem(
                    "evaluation.n_splits",
                    f"expected at most {len(targets)}, a row per fold, received {n_splits}",
                )
            )
        if stratify:
            require_classes(targets, n_splits)
        state = derive(seed, "split", repeat if reshuffle else 0) % 2**32 if shuffle else None
        splitter = (StratifiedKFold if stratify else KFold)(n_splits, shuffle=shuffle, random_state=state)
        return list(splitter.split(targets, targets))

    return Scheme(split_once, n_splits, True, n_repeats, stack, stack_size, refit, test)
