"""Measures of how well scores order the rows, one class or label at a time; they need all rows at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dlrun.contracts import DataSpec
from dlrun.contracts import Problem as Kind
from dlrun.metrics._decisions import true_class
from dlrun.metrics._mean import metric_target

Score = Callable[[np.ndarray, np.ndarray], float]
"""From what is true of each row, bool [N], and its scores, float [N]."""


@dataclass
class Ranking:
    """The mean of `score` over the classes (one against the rest) or labels that have rows of both kinds; for a
    binary target just `score`. Of each row are kept its C scores, then the class's index or the C labels."""

    key: str
    kind: Kind
    classes: int
    score: Score
    higher_is_better: bool = True

    def keep(self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> Tensor:
        """Of one batch, float [B, C + 1] for multiclass, else [B, 2C]; at least float32."""
        scores, wanted = outputs[self.key], targets[self.key]
        if self.kind == "multiclass":
            wanted = true_class(scores, wanted)
        dtype = torch.promote_types(scores.dtype, torch.float32)
        return torch.cat([part.to(dtype).reshape(len(part), -1) for part in (scores, wanted)], 1)

    def compute_all(self, kept: np.ndarray) -> float:
        """The mean; NaN where no class has rows of both kinds, or an output is no number."""
        if not np.isfinite(kept).all():
            return float("nan")
        scores, wanted = kept[:, : self.classes], kept[:, self.classes :]
        true = wanted == np.arange(self.classes) if self.kind == "multiclass" else wanted > 0.5
        told = [c for c in range(self.classes) if true[:, c].any() and not true[:, c].all()]
        return float(np.mean([self.score(true[:, c], scores[:, c]) for c in told])) if told else float("nan")


def ranked(name: str, spec: DataSpec, score: Score, target: str | None) -> Ranking:
    """The metric called `name`. Raises ConfigError on regression."""
    key, kind = metric_target(spec, target, name, ("binary", "multiclass", "multilabel"))
    return Ranking(key, kind, spec.targets[key].units, score)
