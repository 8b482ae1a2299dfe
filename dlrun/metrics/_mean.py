"""Means over rows as metrics: the state is [sum, count]."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from dlrun.contracts import DataSpec
from dlrun.contracts import Problem as Kind
from dlrun.errors import ConfigError, Problem
from dlrun.losses._rows import target_name


@dataclass
class RowMean:
    """The mean over all rows of `per_row(outputs[key], targets[key])`, a tensor [B]."""

    key: str
    higher_is_better: bool
    per_row: Callable[[Tensor, Tensor], Tensor]
    state_size: int = 2

    def update(self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor], mask: Tensor | None) -> Tensor:
        """[sum, count] of one batch, float [2], at least float32. mask: float [B] or None for all rows."""
        values = self.per_row(outputs[self.key], targets[self.key])
        values = values.to(torch.promote_types(values.dtype, torch.float32))
        if mask is None:
            count = torch.full((), len(values), dtype=values.dtype, device=values.device)
            return torch.stack([values.sum(), count])
        mask = mask.to(values.dtype)
        return torch.stack([(values * mask).sum(), mask.sum()])

    def compute(self, state: Tensor) -> float:
        """The mean from a summed state [2]; NaN where no row was counted."""
        total, count = state.tolist()
        return total / count if count else float("nan")


CLASSES = "accuracy, precision, recall, f1, roc_auc, mean_average_precision"
FITTING = {
    "binary": f"{CLASSES}, confusion_matrix",
    "multiclass": f"{CLASSES}, confusion_matrix, top_k_accuracy",
    "multilabel": CLASSES,
}
"""What the hint of an error offers; numbers have mae, mse and r2."""


def metric_target(spec: DataSpec, target: str | None, metric: str, kinds: tuple[Kind, ...]) -> tuple[str, Kind]:
    """Name and problem of the target. Raises ConfigError where the problem is not among `kinds`."""
    name = target_name(spec, target, f"metrics.{metric}.target")
    kind = spec.targets[name].problem
    if kind not in kinds:
        fitting = FITTING.get(kind, "mae, mse, r2")
        message = f"{metric} needs a {' or '.join(kinds)} target, '{name}' is {kind}"
        raise ConfigError(Problem(f"metrics.{metric}", message, f"what fits: {fitting}"))
    return name, kind
