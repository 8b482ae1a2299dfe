"""Share of rows whose largest output is the true class."""

from __future__ import annotations

from dlrun.contracts import DataSpec, Metric
from dlrun.metrics import _accuracy
from dlrun.metrics._mean import metric_target


def build(spec: DataSpec, *, target: str | None = None) -> Metric:
    """For multiclass targets, as class indices or one-hot (book sections 2.1 and 3.5).

    target: the one to read, may be left out where there is only one. Raises ConfigError on other problems.
    """
    key, _ = metric_target(spec, target, "categorical_accuracy", ("multiclass",))
    return _accuracy.categorical(key)
