"""Gradients kept within bounds before the optimizer sees them."""

from __future__ import annotations

import torch
from torch import Tensor


def clipped(gradients: list[Tensor], norm: float | None, value: float | None, stacked: bool) -> list[Tensor]:
    """norm: largest length of all gradients of a model together. value: largest absolute value of each element,
    applied after it. stacked: gradients are [K, …], and each of the K models has a length of its own."""
    if norm is not None:
        first = 1 if stacked else 0
        squares = [g.square().flatten(first).sum(-1) if g.ndim > first else g.square() for g in gradients]
        length = torch.stack(squares).sum(0).sqrt()  # [K] or a scalar
        factor = norm / length.clamp(min=norm)
        gradients = [g * factor.reshape(factor.shape + (1,) * (g.ndim - factor.ndim)) for g in gradients]
    if value is not None:
        gradients = [g.clamp(-value, value) for g in gradients]
    return gradients
