"""Categorical cross-entropy, for one class out of several; targets are class indices or one-hot."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from dlrun.contracts import DataSpec, Loss
from dlrun.losses._class_weight import ClassWeight, Resolved, resolved
from dlrun.losses._rows import row_mean, target_name


def build(spec: DataSpec, *, target: str | None = None, class_weight: ClassWeight | None = None) -> Loss:
    """`-sum(y log p)` with p = softmax(logits) (book sections 3.5.3 and 4.5.5).

    target: the one to read, may be left out where there is only one. class_weight: what the loss of a training row
    counts, by the label or the index of its class, or "balanced": in the inverse ratio of the classes' training rows
    (Keras, scikit-learn). Raises ConfigError.
    """
    key = target_name(spec, target, "loss.target")
    return CategoricalCrossentropy(key, resolved(spec, key, class_weight))


class CategoricalCrossentropy:
    """Reads `outputs[key + "_logits"]` [B, ..., C] and `targets[key]`, one-hot of the same shape or class
    indices [B, ...]; returns [B]."""

    name = "categorical_crossentropy"

    def __init__(self, key: str, class_weight: Resolved = None):
        self.key, self.class_weight = key, class_weight

    def __call__(self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> Tensor:
        """One value per row, [B]."""
        log_p = torch.log_softmax(outputs[self.key + "_logits"], dim=-1)
        wanted = targets[self.key]
        if wanted.ndim == log_p.ndim:
            return row_mean(-(wanted.to(log_p.dtype) * log_p).sum(-1))
        return row_mean(-log_p.gather(-1, wanted.long()[..., None]).squeeze(-1))
