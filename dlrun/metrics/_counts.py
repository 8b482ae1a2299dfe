"""Precision and its relatives: measures of true positives, false positives and false negatives per class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from dlrun.contracts import DataSpec
from dlrun.contracts import Problem as Kind
from dlrun.metrics._decisions import one_hot, side, true_class, weights
from dlrun.metrics._mean import metric_target

Average = Literal["macro", "micro", "weighted"]
Measure = Callable[[Tensor, Tensor, Tensor], Tensor]
"""From true positives, false positives and false negatives, each [C], to the measure [C]."""


@dataclass
class Counts:
    """The state is [3C]: true positives, false positives and false negatives of each class.

    Binary: C is 1, the class 1. Multiclass: the largest output is the prediction. Multilabel: C labels, each
    on its side of the threshold.
    """

    key: str
    kind: Kind
    classes: int
    measure: Measure
    average: Average
    threshold: float
    higher_is_better: bool = True
    state_size: int = field(init=False)

    def __post_init__(self) -> None:
        self.state_size = 3 * self.classes

    def update(self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor], mask: Tensor | None) -> Tensor:
        """Counts of one batch, float [3C]. mask: float [B] or None for all rows."""
        predictions, wanted = outputs[self.key], targets[self.key]
        if self.kind == "multiclass":
            said = one_hot(predictions.argmax(-1), self.classes)
            true = one_hot(true_class(predictions, wanted), self.classes)
        else:
            said, true = side(predictions, self.threshold), side(wanted, 0.5)
        rows = weights(predictions, mask)[:, None]
        parts = said & true, said & ~true, ~said & true
        return torch.cat([(part * rows).sum(0) for part in parts])

    def compute(self, state: Tensor) -> float:
        """The average from summed counts [3C], as scikit-learn takes it; 0 where it would divide by 0."""
        counts = state.double().reshape(3, self.classes)
        if self.average == "micro":
            counts = counts.sum(1, keepdim=True)
        elif self.kind == "multiclass":
            counts = counts[:, counts.sum(0) > 0]  # a class that is neither true nor predicted anywhere is left out
        tp, fp, fn = counts
        values = self.measure(tp, fp, fn)
        if self.average == "weighted":
            return float(ratio((values * (tp + fn)).sum(), (tp + fn).sum()))
        return float(values.mean())


def ratio(above: Tensor, below: Tensor) -> Tensor:
    """Element by element, 0 where `below` is 0."""
    return torch.where(below > 0, above / below.clamp(min=1), 0.0)


def counted(
    name: str, spec: DataSpec, measure: Measure, average: Average, threshold: float, target: str | None
) -> Counts:
    """The metric called `name`. Raises ConfigError on regression."""
    key, kind = metric_target(spec, target, name, ("binary", "multiclass", "multilabel"))
    return Counts(key, kind, spec.targets[key].units, measure, average, threshold)
