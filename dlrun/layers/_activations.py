"""Activation functions by Keras's names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Activation = Literal[
    "linear",
    "relu",
    "relu6",
    "tanh",
    "sigmoid",
    "softmax",
    "elu",
    "selu",
    "softplus",
    "softsign",
    "hard_sigmoid",
    "gelu",
    "swish",
    "leaky_relu",
    "exponential",
]


def _linear(x: Tensor) -> Tensor:
    return x


def _softmax(x: Tensor) -> Tensor:
    return torch.softmax(x, dim=-1)


def _hard_sigmoid(x: Tensor) -> Tensor:
    # Keras 2's slope of 0.2; torch's hardsigmoid and Keras 3 have 1/6.
    return torch.clamp(0.2 * x + 0.5, 0.0, 1.0)


def _leaky_relu(x: Tensor) -> Tensor:
    # 0.3 as in the layer LeakyReLU of Keras 2, which the book uses; torch's default is 0.01.
    return F.leaky_relu(x, 0.3)


ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "linear": _linear,
    "relu": torch.relu,
    "relu6": F.relu6,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "softmax": _softmax,
    "elu": F.elu,
    "selu": torch.selu,
    "softplus": F.softplus,
    "softsign": F.softsign,
    "hard_sigmoid": _hard_sigmoid,
    "gelu": F.gelu,
    "swish": F.silu,
    "leaky_relu": _leaky_relu,
    "exponential": torch.exp,
}
"""Each maps [..., U] to the same shape; softmax sums to 1 over the last axis, all others are element-wise."""
