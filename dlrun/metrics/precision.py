"""Share of what was predicted as a class that is of that class."""

from __future__ import annotations

from torch import Tensor

from dlrun.contracts import DataSpec, Metric
from dlrun.metrics._counts import Average, counted, ratio
from dlrun.types import Rate


def build(spec: DataSpec, *, average: Average = "macro", threshold: Rate = 0.5, target: str | None = None) -> Metric:
    """For imbalanced classes (book section 4.5.2), as scikit-learn counts; 0 where there is nothing to divide by.

    average: over the classes or labels, evenly (macro), weighted by their rows, or of all decisions together
    (micro); a binary target has only its class 1. threshold: of binary and multilabel predictions; multiclass
    takes the largest output. target: the one to read, may be left out where there is only one. Raises
    ConfigError on regression.
    """
    return counted("precision", spec, _measure, average, threshold, target)


def _measure(tp: Tensor, fp: Tensor, fn: Tensor) -> Tensor:
    return ratio(tp, tp + fp)
