"""K-fold several times over, reshuffled before each: P x K models (book 4.2.1)."""

from __future__ import annotations

from dlrun.evaluations._scheme import Refit, Scheme, Stack
from dlrun.evaluations.kfold import Folds, folds
from dlrun.types import Count


def build(
    *,
    n_splits: Folds = 4,
    n_repeats: Count = 3,
    stratify: bool = False,
    stack: Stack = "auto",
    stack_size: Count | None = None,
    refit: Refit = False,
    test: bool = False,
) -> Scheme:
    """The score is the mean over all P x K folds: the most precise one for few rows, and the dearest."""
    return folds(n_splits, True, stratify, True, n_repeats, stack, stack_size, refit, test)
