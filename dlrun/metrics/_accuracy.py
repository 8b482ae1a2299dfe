"""Shares of right answers per row."""

from __future__ import annotations

from functools import partial

from torch import Tensor

from dlrun.losses._rows import row_mean
from dlrun.metrics._mean import RowMean


def binary(key: str, threshold: float) -> RowMean:
    """Share of probabilities on the right side of the threshold; exactly on it counts as 0, as in Keras."""
    return RowMean(key, True, partial(_binary_hits, threshold=threshold))


def categorical(key: str) -> RowMean:
    """Share of rows whose largest output is the true class."""
    return RowMean(key, True, _categorical_hits)


def _binary_hits(predictions: Tensor, targets: Tensor, threshold: float) -> Tensor:
    """Both [B] or [B, labels]; returns [B]."""
    return row_mean(((predictions > threshold) == (targets > 0.5)).float())


def _categorical_hits(predictions: Tensor, targets: Tensor) -> Tensor:
    """Predictions [B, C]; targets class indices [B] or one-hot [B, C]; returns [B]."""
    wanted = targets.argmax(-1) if targets.ndim == predictions.ndim else targets
    return row_mean((predictions.argmax(-1) == wanted).float())
