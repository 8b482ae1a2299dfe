"""Stochastic gradient descent, with momentum if wanted."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from dlrun.contracts import OptimizerSpec, Rule
from dlrun.types import Positive, Rate


def build(*, lr: Positive = 0.01, momentum: Rate = 0.0, nesterov: bool = False) -> OptimizerSpec:
    """`v = momentum * v + gradient`, then `w -= lr * v`; with nesterov `w -= lr * (gradient + momentum * v)`.

    Defaults of Keras 2.0.8. At a constant lr this is Keras's form, whose velocity contains lr, and nesterov
    is the loop of the book's section 2.4.3; where a schedule changes lr, the new lr scales the whole
    velocity at once. nesterov without momentum is plain descent, as in Keras.
    """
    # Not fused: on the CPU the last bits of an element then depend on its place in the tensor.
    nesterov = nesterov and momentum > 0.0
    make = partial(torch.optim.SGD, lr=lr, momentum=momentum, nesterov=nesterov, foreach=True)
    if not momentum:
        return OptimizerSpec(make, rule=Rule({"lr": lr}, lambda weight: {}, _plain))
    rule = Rule({"lr": lr, "momentum": momentum}, _at_rest, partial(_with_momentum, nesterov=nesterov))
    return OptimizerSpec(make, rule=rule)


def _at_rest(weight: Tensor) -> dict[str, Tensor]:
    return {"momentum_buffer": torch.zeros_like(weight)}


def _plain(
    weight: Tensor, gradient: Tensor, state: dict[str, Tensor], by: Mapping[str, Any]
) -> tuple[Tensor, dict[str, Tensor]]:
    return weight - by["lr"] * gradient, {}


def _with_momentum(
    weight: Tensor, gradient: Tensor, state: dict[str, Tensor], by: Mapping[str, Any], nesterov: bool
) -> tuple[Tensor, dict[str, Tensor]]:
    velocity = by["momentum"] * state["momentum_buffer"] + gradient
    direction = gradient + by["momentum"] * velocity if nesterov else velocity
    return weight - by["lr"] * direction, {"momentum_buffer": velocity}
