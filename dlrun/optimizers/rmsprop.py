"""RMSprop: each gradient divided by the root of a running mean of its square."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import torch
from torch import nn

from dlrun.contracts import OptimizerSpec
from dlrun.types import Positive, Rate

FOREVER = 1e9
"""Steps after which `1 - rho ** steps` is 1 for every rho below 1 that float64 can tell from it in practice."""


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
    if momentum or centered:
        plain = partial(torch.optim.RMSprop, lr=lr, alpha=rho, eps=epsilon, momentum=momentum, centered=centered)
        return OptimizerSpec(partial(plain, foreach=True))
    return OptimizerSpec(partial(FusedRMSprop, lr=lr, rho=rho, epsilon=epsilon))


class FusedRMSprop(torch.optim.Adam):
    """RMSprop by Adam's fused kernel, one pass over the weights where `torch.optim.RMSprop` makes five.

    Adam without a first moment (beta_1 = 0) and after so many steps that its bias corrections are 1 is RMSprop
    to the letter: the running mean of squares is beta_2's, and epsilon stands outside the root.
    """

    def __init__(self, params: Iterable[nn.Parameter], lr: float, rho: float, epsilon: float):
        super().__init__(params, lr=lr, betas=(0.0, rho), eps=epsilon, fused=True)
        for p in self.param_groups[0]["params"]:
            self.state[p] = {
                "step": torch.full((), FOREVER, device=p.device),
                "exp_avg": torch.zeros_like(p, memory_format=torch.preserve_format),
                "exp_avg_sq": torch.zeros_like(p, memory_format=torch.preserve_format),
            }
