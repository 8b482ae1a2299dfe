"""Share of probabilities on the right side of a threshold."""

from __future__ import annotations

from dlrun.contracts import DataSpec, Metric
from dlrun.metrics import _accuracy
from dlrun.metrics._mean import metric_target
from dlrun.types import Rate


def build(spec: DataSpec, *, threshold: Rate = 0.5, target: str | None = None) -> Metric:
    """For binary and multilabel targets (book listing 3-6).

    target: the one to read, may be left out where there is only one. Raises ConfigError on other problems.
    """
    key, _ = metric_target(spec, target, "binary_accuracy", ("binary", "multilabel"))
    return _accuracy.binary(key, threshold)
