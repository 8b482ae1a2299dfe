"""Linear regression with a small L2 penalty by scikit-learn: no hidden layers (book 1.2, 4.5.5)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from dlrun.baselines._features import fewer, matrices
from dlrun.contracts import Rows, TargetSpec
from dlrun.types import Count, NonNegative


def build(*, penalty: NonNegative = 1.0, most_rows: Count = 100000) -> Linear:
    """penalty: L2 on standardised inputs, for more columns than rows. most_rows: to learn from; of more training rows
    as many are drawn at random. Says nothing about classes."""
    return Linear(penalty, most_rows)


class Linear:
    """See `build`."""

    kind = "linear regression"
    reads_inputs = True

    def __init__(self, penalty: float, most_rows: int):
        self.penalty, self.most_rows = penalty, most_rows

    def outputs(self, key: str, target: TargetSpec, train: Rows, scored: Rows, seed: int) -> list[Tensor] | None:
        """[N, *target.shape], in the target's unit; within 0..1 where the target is."""
        if target.problem not in ("regression", "bounded_regression"):
            return None
        from sklearn.linear_model import Ridge

        train = fewer(train, key, self.most_rows, seed)
        known = train.targets[key].numpy().astype(np.float64)
        learned, new = matrices(train, scored)
        model = Ridge(alpha=self.penalty).fit(learned, known.reshape(len(known), -1))
        found = torch.from_numpy(model.predict(new)).float().reshape(new.shape[0], *known.shape[1:])
        return [found.clamp(0, 1) if target.problem == "bounded_regression" else found]
