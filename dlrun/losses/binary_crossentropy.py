"""Binary cross-entropy, for one probability or several independent ones per row."""

from __future__ import annotations

from collections.abc import Mapping

import torch.nn.functional as F
from torch import Tensor

from dlrun.contracts import DataSpec, Loss
from dlrun.losses._class_weight import ClassWeight, Resolved, resolved
from dlrun.losses._rows import row_mean, target_name


def build(spec: DataSpec, *, target: str | None = None, class_weight: ClassWeight | None = None) -> Loss:
    """`-y log p - (1 - y) log(1 - p)` with p = sigmoid(logits) (book sections 3.4.3 and 4.5.5).

    target: the one to read, may be left out where there is only one. class_weight: what the loss of a training row
    counts, by the label or the index of its class, or "balanced": in the inverse ratio of the classes' training rows
    (Keras, scikit-learn). Raises ConfigError.
    """
    key = target_name(spec, target, "loss.target")
    return BinaryCrossentropy(key, resolved(spec, key, class_weight))


class BinaryCrossentropy:
    """Reads `outputs[key + "_logits"]` and `targets[key]`, both [B] or [B, ...]; returns [B]."""

    name = "binary_crossentropy"

    def __init__(self, key: str, class_weight: Resolved = None):
        self.key, self.class_weight = key, class_weight

    def __call__(self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> Tensor:
        """One value per row, [B]."""
        logits = outputs[self.key + "_logits"]
        wanted = targets[self.key].to(logits.dtype)
        return row_mean(F.binary_cross_entropy_with_logits(logits, wanted, reduction="none"))
