"""Mean average precision: precision at each row of a class, best score first; the mean over classes."""

from __future__ import annotations

import numpy as np

from dlrun.contracts import DataSpec, RankingMetric
from dlrun.metrics._ranking import ranked


def build(spec: DataSpec, *, target: str | None = None) -> RankingMetric:
    """For ranking and multilabel problems (book section 4.5.2), as scikit-learn's `average_precision_score`: the
    mean over classes, each against the rest, or labels. One without rows, or with all of them, is left out.

    target: the one to read, may be left out where there is only one. Raises ConfigError on regression.
    """
    return ranked("mean_average_precision", spec, _average_precision, target)


def _average_precision(true: np.ndarray, scores: np.ndarray) -> float:
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(true, scores))
