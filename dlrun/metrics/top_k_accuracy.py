"""Share of rows whose true class is among the k largest outputs."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from dlrun.contracts import DataSpec, Metric
from dlrun.errors import ConfigError, Problem
from dlrun.metrics._decisions import true_class
from dlrun.metrics._mean import RowMean, metric_target
from dlrun.types import Count


def build(spec: DataSpec, *, k: Count = 5, target: str | None = None) -> Metric:
    """For multiclass targets (book section 1.2.5); with k = 1 it is the accuracy.

    Of equal outputs the one of the lower class comes first, so a model that can't tell classes apart is not
    right by it. target: the one to read, may be left out where there is only one. Raises ConfigError on other
    problems and where k is not below the number of classes, for then every row would be right.
    """
    key, _ = metric_target(spec, target, "top_k_accuracy", ("multiclass",))
    classes = spec.targets[key].classes
    if k >= classes:
        message = f"expected less than the number of classes, {classes}, received {k}: every row would be right"
        raise ConfigError(Problem("metrics.top_k_accuracy.k", message, f"'{key}' has {classes} classes"))
    return RowMean(key, True, partial(_hits, k=k))


def _hits(predictions: Tensor, targets: Tensor, k: int) -> Tensor:
    """Predictions [B, C]; targets class indices [B] or one-hot [B, C]; returns [B]."""
    wanted = true_class(predictions, targets)[..., None]
    own = predictions.gather(-1, wanted)
    earlier = torch.arange(predictions.shape[-1], device=predictions.device) < wanted
    ahead = ~(predictions <= own) | (predictions == own) & earlier  # where the own output is NaN, all are ahead
    return (ahead.sum(-1) < k).float()
