"""Area under the ROC curve: how often a row of a class gets a higher score than one that is not of it."""

from __future__ import annotations

import numpy as np

from dlrun.contracts import DataSpec, RankingMetric
from dlrun.metrics._ranking import ranked


def build(spec: DataSpec, *, target: str | None = None) -> RankingMetric:
    """For balanced classes (book section 4.5.2). Multiclass: each class against the rest, then their mean;
    multilabel: the mean over labels. A class without rows, or with all of them, is left out of the mean.

    target: the one to read, may be left out where there is only one. Raises ConfigError on regression.
    """
    return ranked("roc_auc", spec, _area, target)


def _area(true: np.ndarray, scores: np.ndarray) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(true, scores))
