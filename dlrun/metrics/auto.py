"""What the kind of target calls for: accuracy for classes, mae for numbers, forecasts of a series."""

from __future__ import annotations

from typing import Any

from dlrun.contracts import DataSpec, Metric, RowTable
from dlrun.losses._rows import target_name
from dlrun.metrics import accuracy, forecast, mae, normalised_mae


def build(spec: DataSpec, *, target: str | None = None) -> dict[str, Metric | RowTable]:
    """The book's choice for the problem (3.4 to 3.6): `accuracy` or `mae`; of a series also `normalised_mae` (6.3) and
    the table `forecast`.

    target: the one to read; None reads all, where there are several by the names `<target>_accuracy`, `<target>_mae`
    and so on. Raises ConfigError.
    """
    keys = list(spec.targets) if target is None else [target_name(spec, target, "metrics.auto.target")]
    found: dict[str, Metric | RowTable] = {}
    for key in keys:
        given = spec.targets[key]
        classes = given.problem in ("binary", "multiclass", "multilabel")
        chosen: dict[str, Any] = {"accuracy": accuracy} if classes else {"mae": mae}
        if given.channel and given.standardize != "no":
            chosen["normalised_mae"] = normalised_mae
        if given.channel:
            chosen["forecast"] = forecast
        for name, metric in chosen.items():
            found[f"{key}_{name}" if len(keys) > 1 else name] = metric.build(spec, target=key)
    return found
