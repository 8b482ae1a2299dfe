"""L1 and L2 penalties of a weight, as Keras has them."""

from __future__ import annotations

from torch import Tensor


def weight_penalty(weight: Tensor, l1: float, l2: float) -> Tensor:
    """`l1 * sum(|w|) + l2 * sum(w ** 2)` as a scalar; no factor 1/2, and no mean over the weights."""
    terms = []
    if l1:
        terms.append(l1 * weight.abs().sum())
    if l2:
        terms.append(l2 * weight.square().sum())
    assert terms, "only a layer with a coefficient has a penalty"
    return sum(terms[1:], start=terms[0])
