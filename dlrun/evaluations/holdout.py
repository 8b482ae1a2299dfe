"""One part of the rows is held out for validation (book 4.2.1, listing 4-1)."""

from __future__ import annotations

from typing import Literal

import numpy as np

from dlrun.errors import ConfigError, Problem
from dlrun.evaluations._scheme import Refit, Scheme, Stack, require_classes
from dlrun.seeds import derive
from dlrun.types import Count, Natural, Rate


def build(
    *,
    validation: Natural | Rate | Literal["given"] = 0.2,
    order: Literal["shuffled", "positional", "chronological"] = "shuffled",
    stratify: bool = False,
    n_repeats: Count = 1,
    stack: Stack = "auto",
    stack_size: Count | None = None,
    refit: Refit = False,
    test: bool = False,
) -> Scheme:
    """Hold out `validation` rows (a whole number), a share of them, or the rows that the data set apart (`given`),
    whatever the order.

    order: `positional` holds out the first rows (the book's chapter 3, whose loaders have shuffled
    already), `chronological` the last ones, `shuffled` random ones, anew in each repeat.
    """
    if stratify and order != "shuffled":
        raise ConfigError(
            Problem("evaluation.stratify", f"impossible with evaluation.order={order}: it needs a shuffle")
        )

    def split_once(
        targets: np.ndarray, seed: int, repeat: int, scale: float, given: int
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        n = len(targets)
        rows = np.arange(n)
        if validation == "given":
            if not given:
                raise ConfigError(
                    Problem(
                        "evaluation.validation", "'given' is impossible: the data set no rows apart", "give a share"
                    )
                )
            return [(rows[: n - given], rows[n - given :])]
        wanted = round(validation * n) if isinstance(validation, float) else round(validation * scale)
        if validation and not 0 < wanted < n:
            raise ConfigError(
                Problem(
                    "evaluation.validation",
                    f"expected to hold out between 1 and {n - 1} of {n} rows, received {validation} ({wanted} rows)",
                )
            )
        if wanted == 0 or order == "positional":
            return [(rows[wanted:], rows[:wanted])]
        if order == "chronological":
            return [(rows[: n - wanted], rows[n - wanted :])]
        return [_shuffled(targets, wanted, derive(seed, "split", repeat), stratify)]

    return Scheme(split_once, 1, bool(validation), n_repeats, stack, stack_size, refit, test)


def _shuffled(targets: np.ndarray, wanted: int, seed: int, stratify: bool) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit

    if stratify:
        require_classes(targets, 2)
    splitter = StratifiedShuffleSplit if stratify else ShuffleSplit
    (pair,) = splitter(1, test_size=wanted, random_state=seed % 2**32).split(targets, targets)
    return pair
