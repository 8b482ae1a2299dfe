"""What the kind of target calls for: accuracy for classes, mae for numbers; reported under that name."""

from __future__ import annotations

from dlrun.contracts import DataSpec, Metric
from dlrun.losses._rows import target_name
from dlrun.metrics import accuracy, mae


def build(spec: DataSpec, *, target: str | None = None) -> Metric:
    """The book's choice for the problem (3.4 to 3.6).

    target: the one to read, may be left out where there is only one. Raises ConfigError.
    """
    key = target_name(spec, target, "metrics.auto.target")
    classes = spec.targets[key].problem in ("binary", "multiclass", "multilabel")
    metric = (accuracy if classes else mae).build(spec, target=key)
    metric.name = "accuracy" if classes else "mae"
    return metric
