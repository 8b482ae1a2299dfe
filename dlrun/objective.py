"""What a model is trained for: its loss and penalties, and the sums that metrics are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dlrun.contracts import AnyLoss, AnyMetric, Batch, Loss, Output, RankingMetric, SumOfLosses


def terms(loss: AnyLoss) -> Mapping[str, Loss]:
    """By target, the losses that a loss is the sum of: a single one is its own."""
    return loss.terms if isinstance(loss, SumOfLosses) else {loss.key: loss}


def logged_terms(loss: AnyLoss) -> list[str]:
    """The names by which the terms of a sum are logged; a single loss has none."""
    return [f"{target}_loss" for target in loss.terms] if isinstance(loss, SumOfLosses) else []


class Objective(nn.Module):
    """A model with its loss and metrics: one batch in, the number to minimise and the sums to report out."""

    def __init__(self, model: nn.Module, loss: AnyLoss, metrics: dict[str, AnyMetric]):
        super().__init__()
        self.model, self.metrics = model, metrics
        self.terms = dict(terms(loss))
        self.logged = logged_terms(loss)
        self.factors = list(loss.weights.values()) if isinstance(loss, SumOfLosses) else []
        self.counting = {n: m for n, m in metrics.items() if not isinstance(m, RankingMetric)}
        self.ranking = {n: m for n, m in metrics.items() if isinstance(m, RankingMetric)}
        self.penalised: list[Any] = [m for m in model.modules() if hasattr(m, "penalty")]

    def forward(self, batch: Batch) -> Output:
        """The mean over real rows is taken here, once, with the mask."""
        outputs = self.model(batch.inputs)
        per_row = {target: loss(outputs, batch.targets) for target, loss in self.terms.items()}
        # At least 1: members of a stack have equally many batches.
        rows: Any = len(next(iter(per_row.values()))) if batch.mask is None else batch.mask.sum()
        weights = batch.weights or {}
        sums = [_summed(values, batch.mask, rows, weights.get(target)) for target, values in per_row.items()]
        loss_sum = sums[0]
        if self.logged:
            loss_sum = torch.stack([factor * one for factor, one in zip(self.factors, sums, strict=True)]).sum()
        objective = loss_sum / rows
        parts = [loss_sum.reshape(1)]
        if self.penalised:
            penalty = torch.stack([layer.penalty() for layer in self.penalised]).sum()
            objective = objective + penalty
            parts.append((penalty * rows).reshape(1))
        if self.logged:
            parts.append(torch.stack(sums))
        with torch.no_grad():
            states = [m.update(outputs, batch.targets, batch.mask) for m in self.counting.values()]
            found = torch.cat(parts + states)
            kept = {name: m.keep(outputs, batch.targets) for name, m in self.ranking.items()}
        return Output(objective, found, kept)

    def compute(self, sums: Tensor, rows: int, kept: dict[str, np.ndarray]) -> dict[str, float]:
        """Numbers from the sums [S] of all batches, over `rows` rows, and from what was kept of each row."""
        means = ["loss", *(["penalty"] if self.penalised else []), *self.logged]
        values = {name: float(total) / rows for name, total in zip(means, sums, strict=False)}
        first = len(means)
        for name, metric in self.metrics.items():
            if isinstance(metric, RankingMetric):
                values[name] = metric.compute_all(kept[name])
            else:
                values[name] = metric.compute(sums[first : first + metric.state_size])
                first += metric.state_size
        return values


def _summed(values: Tensor, mask: Tensor | None, rows: Any, weights: Tensor | None) -> Tensor:
    """Losses [B] of a batch summed over its `rows` real ones. Weights [B] make it `rows` times Keras 2's mean, the sum
    of weight * loss over the number of rows whose weight is not 0."""
    if weights is None:
        return values.sum() if mask is None else (values * mask).sum()
    real = weights if mask is None else weights * mask
    counted = (real != 0).sum().clamp(min=1).to(values.dtype)
    return (values * real).sum() * (rows / counted)
