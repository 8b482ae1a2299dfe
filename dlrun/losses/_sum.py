"""The weighted sum of losses of several targets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from dlrun.contracts import Loss


@dataclass
class Sum:
    """See `contracts.SumOfLosses`."""

    name: str
    terms: Mapping[str, Loss]
    weights: Mapping[str, float]

    def __call__(self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> Tensor:
        """The sum for each row, [B]."""
        values = [self.weights[target] * loss(outputs, targets) for target, loss in self.terms.items()]
        return torch.stack(values).sum(0)
