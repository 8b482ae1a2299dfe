"""Logistic regression by scikit-learn: what a model without hidden layers scores (book 1.2, 4.5.5)."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dlrun.baselines._features import fewer, matrices
from dlrun.contracts import Rows, TargetSpec
from dlrun.types import Count, Positive


def build(*, penalty: Positive = 1.0, max_iter: Count = 100, most_rows: Count = 20000) -> Logistic:
    """penalty: L2, the inverse of scikit-learn's C. max_iter: of L-BFGS, stopped without complaint.
    most_rows: to learn from; of more training rows as many are drawn at random. Says nothing about regression."""
    return Logistic(penalty, max_iter, most_rows)


class Logistic:
    """See `build`."""

    kind = "logistic regression"
    reads_inputs = True

    def __init__(self, penalty: float, max_iter: int, most_rows: int):
        self.penalty, self.max_iter, self.most_rows = penalty, max_iter, most_rows

    def outputs(self, key: str, target: TargetSpec, train: Rows, scored: Rows, seed: int) -> list[Tensor] | None:
        """Probabilities: binary [N], multiclass and multilabel [N, classes]."""
        if target.problem not in ("binary", "multiclass", "multilabel"):
            return None
        train = fewer(train, key, self.most_rows, seed)
        known = train.targets[key].numpy()
        learned, new = matrices(train, scored)
        if target.problem == "multilabel":
            columns = [self._fitted(learned, known[:, c] > 0.5, new, 2)[:, 1] for c in range(target.classes)]
            return [torch.from_numpy(np.stack(columns, 1))]
        labels = known.argmax(-1) if known.ndim > 1 else known.astype(np.int64)
        chances = torch.from_numpy(self._fitted(learned, labels, new, max(target.classes, 2)))
        return [chances[:, 1] if target.problem == "binary" else chances]

    def _fitted(self, learned: Any, labels: np.ndarray, new: Any, classes: int) -> np.ndarray:
        """float32 [M, classes]; 0 for classes without a training row."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        chances = np.zeros((new.shape[0], classes), np.float32)
        present = np.unique(labels).astype(np.int64)
        if len(present) == 1:
            chances[:, present] = 1
            return chances
        model = LogisticRegression(C=1 / self.penalty, max_iter=self.max_iter)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            chances[:, present] = model.fit(learned, labels).predict_proba(new)
        return chances
