"""Adam's update as a function, with weight decay or without."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from dlrun.contracts.learning import Numbers


def initial(weight: Tensor, step: float = 0.0) -> dict[str, Tensor]:
    """As torch's Adam begins; what fused kernels count in lies on their device."""
    return {
        "step": torch.full((), step, device=weight.device),
        "exp_avg": torch.zeros_like(weight),
        "exp_avg_sq": torch.zeros_like(weight),
    }


def factors(numbers: Numbers, t: Any) -> dict[str, Any]:
    """Both corrections for the start at 0, and for AdamW what is left of a weight."""
    beta_1, beta_2 = numbers["beta_1"], numbers["beta_2"]
    return {
        "beta_1": beta_1,
        "rest_1": 1 - beta_1,
        "beta_2": beta_2,
        "rest_2": 1 - beta_2,
        "rate": numbers["lr"] / (1 - beta_1**t),
        "correction": (1 - beta_2**t) ** 0.5,
        "epsilon": numbers["epsilon"],
        "left": 1 - numbers["lr"] * numbers.get("weight_decay", 0.0),
    }


def update(
    weight: Tensor, gradient: Tensor, state: dict[str, Tensor], by: Mapping[str, Any]
) -> tuple[Tensor, dict[str, Tensor]]:
    """See `adam.build`."""
    mean = by["beta_1"] * state["exp_avg"] + by["rest_1"] * gradient
    square = by["beta_2"] * state["exp_avg_sq"] + by["rest_2"] * gradient.square()
    root = square.sqrt() / by["correction"] + by["epsilon"]
    return weight - by["rate"] * mean / root, {"exp_avg": mean, "exp_avg_sq": square}


def update_decayed(
    weight: Tensor, gradient: Tensor, state: dict[str, Tensor], by: Mapping[str, Any]
) -> tuple[Tensor, dict[str, Tensor]]:
    """See `adamw.build`."""
    return update(by["left"] * weight, gradient, state, by)
