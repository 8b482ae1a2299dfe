"""Mean squared error of the prediction, in the square of the target's unit."""

from __future__ import annotations

from torch import Tensor

from dlrun.contracts import DataSpec, Metric
from dlrun.losses._rows import like, row_mean, target_name
from dlrun.metrics._mean import RowMean


def build(spec: DataSpec, *, target: str | None = None) -> Metric:
    """Mean over rows (book section 3.6.3); class indices are compared as one-hot rows.

    target: the one to read, may be left out where there is only one. Raises ConfigError.
    """
    return RowMean(target_name(spec, target, "metrics.mse.target"), False, _error)


def _error(predictions: Tensor, targets: Tensor) -> Tensor:
    """[B, ...] and targets of the same shape, or class indices [B]; returns [B]."""
    return row_mean((predictions - like(targets, predictions)).square())
