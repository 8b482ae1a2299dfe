"""What a model that looks at no input would score: the least that a result must beat (book 4.5.5)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from dlrun.contracts import DataSpec, Metric

Baselines = dict[str, dict[str, Any]]


def baselines(
    spec: DataSpec, metrics: dict[str, Metric], train: dict[str, Tensor], scored: dict[str, Tensor]
) -> Baselines:
    """Each metric's value for the best constant guess, learned from `train` targets, on `scored` targets.

    Classes: the most frequent class. Labels: each label's majority. Numbers: the median for mae, else
    the mean. Returns `{metric: {"value", "kind"}}`.
    """
    found: Baselines = {}
    for name, metric in metrics.items():
        target, rows = spec.targets[metric.key], len(scored[metric.key])
        guess, kind = _constant(target.problem, target.classes, train[metric.key], name)
        outputs = {
            metric.key: guess.expand(rows, *guess.shape),
            f"{metric.key}_logits": guess.expand(rows, *guess.shape),
        }
        value = metric.compute(metric.update(outputs, scored, None))
        found[name] = {"value": value, "kind": kind}
    return found


def _constant(problem: str, classes: int, targets: Tensor, metric: str) -> tuple[Tensor, str]:
    if problem == "multiclass":
        counts = torch.bincount(targets, minlength=classes) if targets.ndim == 1 else targets.sum(0)
        return torch.nn.functional.one_hot(counts.argmax(), classes).float(), "most frequent class"
    if problem in ("binary", "multilabel"):
        return (targets.float().mean(0) > 0.5).float(), "most frequent class"
    if metric == "mae":
        return targets.float().median(0).values if targets.ndim > 1 else targets.float().median(), "median"
    return targets.float().mean(0), "mean"
