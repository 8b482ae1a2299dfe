"""What a result is worth: which rows are held out, what misleads, and what must be beaten."""

from __future__ import annotations

from typing import Any, Literal, Protocol

import numpy as np
from torch import Tensor

from dlrun.contracts.data import Rows, Split, TargetSpec


class Evaluation(Protocol):
    """What `build` of a file in `evaluations/` returns. refit: train a final model on train + validation for
    the best epoch count ("best") or for a number of epochs. test: open the test set once, at the end. folds:
    models per repeat. validates: whether any rows are held out. stack: train the models as one, stack_size: so many
    at most, None for as many as fit into memory."""

    folds: int
    n_repeats: int
    validates: bool
    stack: Literal["auto", "always", "never"]
    stack_size: int | None
    refit: bool | int | str
    test: bool

    def splits(self, targets: np.ndarray, seed: int, scale: float = 1.0, given: int = 0) -> list[Split]:
        """Splits of `len(targets)` rows. scale: rows at hand over rows of the real data (counts shrink with
        sample data). given: `Data.validation`. Raises ConfigError where the rows do not allow them."""
        ...


class Guard(Protocol):
    """What `build` of a file in `guards/` returns: one way of fooling oneself, looked for before training.
    `acknowledge=[name]` says that it is meant."""

    def check(self, context: Any) -> list[str]:
        """What was found, one sentence each, with what to do. context: a `guarding.Context`."""
        ...


class Baseline(Protocol):
    """What `build` of a file in `baselines/` returns: predictions without a neural network. kind: what they
    are, in two words. reads_inputs: whether it looks at the inputs, or at the targets alone. One that looks at them and
    yet learns nothing has `learns = False`; one that needs them for some targets only has `fits(target) -> bool`."""

    kind: str
    reads_inputs: bool

    def outputs(self, key: str, target: TargetSpec, train: Rows, scored: Rows, seed: int) -> list[Tensor] | None:
        """Predictions for `scored` as a model would give them, [N] or [N, units], one tensor per repetition;
        None where this baseline says nothing about such a target."""
        ...
