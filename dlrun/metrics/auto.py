"""What the kind of target calls for: accuracy for classes, mae for numbers; reported under that name."""

from __future__ import annotations

from dlrun.contracts import DataSpec, Metric
from dlrun.losses._rows import target_name
from dlrun.metrics import accuracy, mae


def build(spec: DataSpec, *, target: str | None = None) -> dict[str, Metric]:
    """The book's choice for the problem (3.4 to 3.6): `accuracy` or `mae`.

    target: the one to read; None reads all, where there are several by the names `<target>_accuracy` and
    `<target>_mae`. Raises ConfigError.
    """
    keys = list(spec.targets) if target is None else [target_name(spec, target, "metrics.auto.target")]
    found = {}
    for key in keys:
        classes = spec.targets[key].problem in ("binary", "multiclass", "multilabel")
        name, metric = ("accuracy", accuracy) if classes else ("mae", mae)
        found[f"{key}_{name}" if len(keys) > 1 else name] = metric.build(spec, target=key)
    return found
