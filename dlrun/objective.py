"""What a model is trained for: its loss and penalties, and the sums that metrics are made of."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dlrun.contracts import AnyMetric, Batch, Loss, Output, RankingMetric


class Objective(nn.Module):
    """A model with its loss and metrics: one batch in, the number to minimise and the sums to report out."""

    def __init__(self, model: nn.Module, loss: Loss, metrics: dict[str, AnyMetric]):
        super().__init__()
        self.model, self.loss, self.metrics = model, loss, metrics
        self.counting = {n: m for n, m in metrics.items() if not isinstance(m, RankingMetric)}
        self.ranking = {n: m for n, m in metrics.items() if isinstance(m, RankingMetric)}
        self.penalised: list[Any] = [m for m in model.modules() if hasattr(m, "penalty")]

    def forward(self, batch: Batch) -> Output:
        """The mean over real rows is taken here, once, with the mask."""
        outputs = self.model(batch.inputs)
        per_row = self.loss(outputs, batch.targets)
        if batch.mask is None:
            rows: Any = len(per_row)
            loss_sum = per_row.sum()
        else:
            rows = batch.mask.sum()  # at least 1: members of a stack have equally many batches
            loss_sum = (per_row * batch.mask).sum()
        objective = loss_sum / rows
        parts = [loss_sum.reshape(1)]
        if self.penalised:
            penalty = torch.stack([layer.penalty() for layer in self.penalised]).sum()
            objective = objective + penalty
            parts.append((penalty * rows).reshape(1))
        with torch.no_grad():
            states = [m.update(outputs, batch.targets, batch.mask) for m in self.counting.values()]
            sums = torch.cat(parts + states)
            kept = {name: m.keep(outputs, batch.targets) for name, m in self.ranking.items()}
        return Output(objective, sums, kept)

    def compute(self, sums: Tensor, rows: int, kept: dict[str, np.ndarray]) -> dict[str, float]:
        """Numbers from the sums [S] of all batches, over `rows` rows, and from what was kept of each row."""
        values = {"loss": float(sums[0]) / rows}
        first = 1
        if self.penalised:
            values["penalty"] = float(sums[first]) / rows
            first += 1
        for name, metric in self.metrics.items():
            if isinstance(metric, RankingMetric):
                values[name] = metric.compute_all(kept[name])
            else:
                values[name] = metric.compute(sums[first : first + metric.state_size])
                first += metric.state_size
        return values
