"""Initial weights by Keras's names and rules; random numbers come from torch's global generator.

The `*_normal` of the glorot, he and lecun families are normal distributions cut at two standard deviations
and widened so that the variance after the cut is the wanted one, as in Keras since 2.2.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

Initializer = Literal[
    "zeros",
    "ones",
    "glorot_uniform",
    "glorot_normal",
    "he_uniform",
    "he_normal",
    "lecun_uniform",
    "lecun_normal",
    "random_uniform",
    "random_normal",
    "truncated_normal",
    "orthogonal",
]

CUT_STD = 0.87962566103423978
"""Standard deviation of a unit normal that is cut at -2 and 2."""


def initial(name: Initializer, shape: tuple[int, ...]) -> Tensor:
    """A new weight of `shape` in Keras's layout: (in, units) for dense kernels, (*window, in, filters) for
    convolutions. Units: none; the dtype is torch's default."""
    weight = torch.empty(shape)
    match name:
        case "zeros":
            return weight.zero_()
        case "ones":
            return weight.fill_(1.0)
        case "random_uniform":
            return weight.uniform_(-0.05, 0.05)
        case "random_normal":
            return weight.normal_(0.0, 0.05)
        case "truncated_normal":
            return _cut_normal(weight, 0.05)
        case "orthogonal":
            flat = nn.init.orthogonal_(torch.empty(math.prod(shape[:-1]), shape[-1]))
            return flat.reshape(shape)
    variance = _variance(name, shape)
    if name.endswith("_uniform"):
        limit = math.sqrt(3.0 * variance)
        return weight.uniform_(-limit, limit)
    return _cut_normal(weight, math.sqrt(variance) / CUT_STD)


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Inputs and outputs of one unit, by Keras's rules for a weight of `shape` in Keras's layout."""
    if len(shape) < 2:
        size = math.prod(shape)
        return size, size
    window = math.prod(shape[:-2])
    return shape[-2] * window, shape[-1] * window


def _variance(name: Initializer, shape: tuple[int, ...]) -> float:
    fan_in, fan_out = (max(1, fan) for fan in fans(shape))
    family = name.split("_")[0]
    return {"glorot": 2.0 / (fan_in + fan_out), "he": 2.0 / fan_in, "lecun": 1.0 / fan_in}[family]


def _cut_normal(weight: Tensor, std: float) -> Tensor:
    return nn.init.trunc_normal_(weight, std=std, a=-2.0 * std, b=2.0 * std)
