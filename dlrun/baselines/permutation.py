"""The right labels in random order, compared with themselves, several times (book 3.5.4)."""

from __future__ import annotations

import torch
from torch import Tensor

from dlrun.baselines._draws import generator, repetitions
from dlrun.contracts import Rows, TargetSpec


def build() -> Permutation:
    """What a guess scores that knows how frequent the classes are and nothing else. Says nothing about regression."""
    return Permutation()


class Permutation:
    """See `build`."""

    kind = "shuffled labels"
    reads_inputs = False

    def outputs(self, key: str, target: TargetSpec, train: Rows, scored: Rows, seed: int) -> list[Tensor] | None:
        """Binary [N], multiclass and multilabel [N, classes], all 0 or 1; the training rows are not looked at."""
        if target.problem not in ("binary", "multiclass", "multilabel"):
            return None
        right = scored.targets[key]
        if target.problem == "multiclass" and right.ndim == 1:
            right = torch.nn.functional.one_hot(right, target.classes)
        stream = generator(seed)
        times = repetitions(right.numel())
        return [right[torch.randperm(len(right), generator=stream)].float() for _ in range(times)]
