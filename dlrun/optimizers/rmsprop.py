"""RMSprop: each gradient divided by the root of a running mean of its square."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from dlrun.contracts import OptimizerSpec, Rule
from dlrun.contracts.learning import Numbers
from dlrun.optimizers import _adam
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
        numbers = {"lr": lr, "rho": rho, "epsilon": epsilon, **({"momentum": momentum} if momentum else {})}
        rule = Rule(numbers, partial(_initial, momentum=momentum > 0, centered=centered), _general_update, _factors)
        return OptimizerSpec(partial(plain, foreach=True), rule=rule)
    rule = Rule({"lr": lr, "rho": rho, "epsilon": epsilon}, partial(_adam.initial, step=FOREVER), _update, _factors)
    return OptimizerSpec(partial(FusedRMSprop, lr=lr, rho=rho, epsilon=epsilon), rule=rule)


def _factors(numbers: Numbers, t: Any) -> dict[str, Any]:
    return {**numbers, "rest": 1 - numbers["rho"]}


def _update(
    weight: Tensor, gradient: Tensor, state: dict[str, Tensor], by: Mapping[str, Any]
) -> tuple[Tensor, dict[str, Tensor]]:
    square = by["rho"] * state["exp_avg_sq"] + by["rest"] * gradient.square()
    return weight - by["lr"] * gradient / (square.sqrt() + by["epsilon"]), {"exp_avg_sq": square}


def _initial(weight: Tensor, momentum: bool, centered: bool) -> dict[str, Tensor]:
    names = ["square_avg", *["momentum_buffer"] * momentum, *["grad_avg"] * centered]
    return {"step": torch.zeros(()), **{name: torch.zeros_like(weight) for name in names}}


def _general_update(
    weight: Tensor, gradient: Tensor, state: dict[str, Tensor], by: Mapping[str, Any]
) -> tuple[Tensor, dict[str, Tensor]]:
    new: dict[str, Tensor] = {}
    square = new["square_avg"] = by["rho"] * state["square_avg"] + by["rest"] * gradient.square()
    if "grad_avg" in state:
        new["grad_avg"] = by["rho"] * state["grad_avg"] + by["rest"] * gradient
        square = square - new["grad_avg"].square()
    direction = gradient / (square.sqrt() + by["epsilon"])
    if "momentum_buffer" in state:
        direction = new["momentum_buffer"] = by["momentum"] * state["momentum_buffer"] + direction
    return weight - by["lr"] * direction, new


class FusedRMSprop(torch.optim.Adam):
    """RMSprop by Adam's fused kernel, one pass over the weights where `torch.optim.RMSprop` makes five.

    Adam without a first moment (beta_1 = 0) and after so many steps that its bias corrections are 1 is RMSprop
    to the letter: the running mean of squares is beta_2's, and epsilon stands outside the root.
    """

    def __init__(self, params: Iterable[nn.Parameter], lr: float, rho: float, epsilon: float):
        super().__init__(params, lr=lr, betas=(0.0, rho), eps=epsilon, fused=True)
        for p in self.param_groups[0]["params"]:
            self.state[p] = _adam.initial(p.detach(), FOREVER)
