"""The most frequent class of the training rows, whatever the input."""

from __future__ import annotations

import torch
from torch import Tensor

from dlrun.contracts import Rows, TargetSpec


def build() -> Majority:
    """Gives each row the classes' shares as probabilities, so the most frequent class is the prediction, the next one
    comes second, and every row has the same rank. Says nothing about regression."""
    return Majority()


class Majority:
    """See `build`."""

    kind = "most frequent class"
    reads_inputs = False

    def outputs(self, key: str, target: TargetSpec, train: Rows, scored: Rows, seed: int) -> list[Tensor] | None:
        """Binary [N], multiclass and multilabel [N, classes]."""
        known, rows = train.targets[key], len(scored.targets[key])
        if target.problem not in ("binary", "multiclass", "multilabel"):
            return None
        if target.problem == "multiclass" and known.ndim == 1:
            shares = torch.bincount(known, minlength=target.classes) / len(known)
        else:
            shares = known.double().mean(0).float()
        return [shares.expand(rows, *shares.shape)]
