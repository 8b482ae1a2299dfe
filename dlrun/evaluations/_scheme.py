"""What the evaluation schemes share: repeats, refit and test around a rule that splits once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dlrun.contracts import Split
from dlrun.errors import ConfigError, Problem
from dlrun.types import Count

Stack = Literal["auto", "always", "never"]
Refit = Literal[False, "best"] | Count

SplitOnce = Callable[[np.ndarray, int, int, float, int], list[tuple[np.ndarray, np.ndarray]]]
"""`(targets [n], seed, repeat, scale, given) -> [(train, validation), …]`, index arrays."""


@dataclass(frozen=True)
class Scheme:
    """An `Evaluation`: repeats a rule that splits once."""

    split_once: SplitOnce
    folds: int
    validates: bool
    n_repeats: int
    stack: Stack
    stack_size: int | None
    refit: Refit
    test: bool

    def splits(self, targets: np.ndarray, seed: int, scale: float = 1.0, given: int = 0) -> list[Split]:
        """See `contracts.Evaluation`."""
        return [
            Split(repeat, fold, train, val)
            for repeat in range(self.n_repeats)
            for fold, (train, val) in enumerate(self.split_once(targets, seed, repeat, scale, given))
        ]


def require_classes(targets: np.ndarray, smallest: int) -> None:
    """Stratifying needs class targets with enough rows in each. targets: [n]."""
    if targets.ndim != 1 or len(np.unique(targets)) > len(targets) // 2:
        raise ConfigError(
            Problem("evaluation.stratify", "expected class targets, received a regression", "set it to false")
        )
    classes, counts = np.unique(targets, return_counts=True)
    if counts.min() < smallest:
        rare = classes[counts.argmin()]
        raise ConfigError(
            Problem(
                "evaluation.stratify",
                f"class {rare:g} has {counts.min()} rows; {smallest} are needed to put one on each side",
            )
        )
