"""RMSprop: each gradient divided by the root of a running mean of its square."""

from __future__ import annotations

from functools import partial

import torch

from dlrun.contracts import OptimizerSpec
from dlrun.types import Positive, Rate


def build(
    *,
    lr: Positive = 0.001,
    rho: Rate = 0.9,
    epsilon: Positive = 1e-8,
    momentum: Rate = 0.0,
    centered: bool = False,
) -> OptimizerSpec:
    """`a = rho * a + (1 - rho) * g ** 2`, then `w -= lr * g / (sqrt(a) + epsilon)`; `a` begins at 0.

    Defaults of Keras 2.0.8, the book's optimizer nearly everywhere (torch has lr 0.01 and rho 0.99). epsilon
    is added outside the root, as there; Keras 3 adds 1e-7 inside. momentum and centered are those of later
    Keras: a velocity of the updates, and a running mean of g whose square is taken from `a`.
    """
    return OptimizerSpec(
        partial(
            torch.optim.RMSprop,
            lr=lr,
            alpha=rho,
            eps=epsilon,
            momentum=momentum,
            centered=centered,
            foreach=True,
        )
    )
