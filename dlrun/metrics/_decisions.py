"""What a model decided and what was true, in the forms that counts need."""

from __future__ import annotations

import torch
from torch import Tensor


def true_class(predictions: Tensor, targets: Tensor) -> Tensor:
    """Class indices [B] from indices [B] or one-hot rows [B, C], as the predictions [B, C] tell."""
    return targets.argmax(-1) if targets.ndim == predictions.ndim else targets


def one_hot(index: Tensor, classes: int) -> Tensor:
    """Class indices [B] to booleans [B, C]; unlike torch's own it never looks at the values, so vmap takes it."""
    return index[..., None] == torch.arange(classes, device=index.device)


def side(values: Tensor, threshold: float) -> Tensor:
    """[B] or [B, labels] to booleans [B, labels]; exactly on the threshold counts as 0, as in Keras."""
    return (values > threshold).reshape(len(values), -1)


def weights(values: Tensor, mask: Tensor | None) -> Tensor:
    """What each row counts, [B]: 1, or 0 where it is padding. At least float32, so that counts stay exact."""
    dtype = torch.promote_types(values.dtype, torch.float32)
    return torch.ones(len(values), dtype=dtype, device=values.device) if mask is None else mask.to(dtype)
