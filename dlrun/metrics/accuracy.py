"""Share of right answers, counted as the target's problem asks."""

from __future__ import annotations

from dlrun.contracts import DataSpec, Metric
from dlrun.metrics import _accuracy
from dlrun.metrics._mean import metric_target
from dlrun.types import Rate


def build(spec: DataSpec, *, threshold: Rate = 0.5, target: str | None = None) -> Metric:
    """Binary and multilabel: the side of `threshold`; multiclass: the largest output (book sections 2.1,
    3.4, 3.5).

    target: the one to read, may be left out where there is only one. Raises ConfigError on regression.
    """
    key, kind = metric_target(spec, target, "accuracy", ("binary", "multiclass", "multilabel"))
    return _accuracy.categorical(key) if kind == "multiclass" else _accuracy.binary(key, threshold)
