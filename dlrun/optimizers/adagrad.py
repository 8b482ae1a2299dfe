"""Adagrad: each gradient divided by the root of the sum of all its squares so far."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from dlrun.contracts import OptimizerSpec, Rule
from dlrun.types import Positive


def build(*, lr: Positive = 0.01, epsilon: Positive = 1e-8) -> OptimizerSpec:
    """`a += g ** 2`, then `w -= lr * g / (sqrt(a) + epsilon)`; `a` begins at 0. Defaults of Keras 2.0.8."""

    def make(parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        weights = list(parameters)
        # Fused takes less than half the time; older torch has it on the CPU only.
        fused = all(weight.device.type == "cpu" for weight in weights)
        return torch.optim.Adagrad(weights, lr=lr, eps=epsilon, fused=fused, foreach=not fused)

    return OptimizerSpec(make, rule=Rule({"lr": lr, "epsilon": epsilon}, _initial, _update))


def _initial(weight: Tensor) -> dict[str, Tensor]:
    return {"step": torch.zeros(()), "sum": torch.zeros_like(weight)}


def _update(
    weight: Tensor, gradient: Tensor, state: dict[str, Tensor], by: Mapping[str, Any]
) -> tuple[Tensor, dict[str, Tensor]]:
    total = state["sum"] + gradient.square()
    return weight - by["lr"] * gradient / (total.sqrt() + by["epsilon"]), {"sum": total}
