"""Random classes, each as likely as the others (book 4.5.5: more than 0.1 for ten digits)."""

from __future__ import annotations

import torch
from torch import Tensor

from dlrun.baselines._draws import generator, repetitions
from dlrun.contracts import Rows, TargetSpec


def build() -> Chance:
    """Random probabilities, several times; says nothing about regression."""
    return Chance()


class Chance:
    """See `build`."""

    kind = "random class"
    reads_inputs = False

    def outputs(self, key: str, target: TargetSpec, train: Rows, scored: Rows, seed: int) -> list[Tensor] | None:
        """Binary [N], multiclass (rows sum to 1) and multilabel [N, classes], uniform in 0..1."""
        if target.problem not in ("binary", "multiclass", "multilabel"):
            return None
        rows = len(scored.targets[key])
        shape = (rows,) if target.problem == "binary" else (rows, target.classes)
        stream = generator(seed)
        draws = [torch.rand(shape, generator=stream) for _ in range(repetitions(rows * target.units))]
        return [draw / draw.sum(-1, keepdim=True) for draw in draws] if target.problem == "multiclass" else draws
