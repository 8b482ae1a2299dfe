"""L1 and L2 penalties of a weight, as Keras has them."""

from __future__ import annotations

from torch import Tensor

from dlrun.layers._settings import narrow


def weight_penalty(weight: Tensor, l1: float | Tensor, l2: float | Tensor) -> Tensor:
    """`l1 * sum(|w|) + l2 * sum(w ** 2)` as a scalar; no factor 1/2, and no mean over the weights. l1, l2: scalar
    tensors where each model of a stack has its own."""
    terms = []
    if isinstance(l1, Tensor) or l1:
        terms.append(narrow(l1, weight) * weight.abs().sum())
    if isinstance(l2, Tensor) or l2:
        terms.append(narrow(l2, weight) * weight.square().sum())
    assert terms, "only a layer with a coefficient has a penalty"
    return sum(terms[1:], start=terms[0])
