"""Adam's update as a function, with weight decay or without."""

from __future__ import annotations

import torch
from torch import Tensor

from dlrun.contracts.learning import Numbers, narrow


def initial(weight: Tensor, step: float = 0.0) -> dict[str, Tensor]:
    """As torch's Adam begins; what fused kernels count in lies on their device."""
    return {
        "step": torch.full((), step, device=weight.device),
        "exp_avg": torch.zeros_like(weight),
        "exp_avg_sq": torch.zeros_like(weight),
    }


def update(
    weight: Tensor, gradient: Tensor, state: dict[str, Tensor], numbers: Numbers, t: Tensor
) -> tuple[Tensor, dict[str, Tensor]]:
    """See `adam.build`."""
    beta_1, beta_2 = numbers["beta_1"], numbers["beta_2"]
    rate = narrow(numbers["lr"] / (1 - beta_1**t), weight)
    correction = narrow((1 - beta_2**t).sqrt(), weight)
    mean = narrow(beta_1, weight) * state["exp_avg"] + narrow(1 - beta_1, weight) * gradient
    square = narrow(beta_2, weight) * state["exp_avg_sq"] + narrow(1 - beta_2, weight) * gradient.square()
    root = square.sqrt() / correction + narrow(numbers["epsilon"], weight)
    return weight - rate * mean / root, {"exp_avg": mean, "exp_avg_sq": square}


def update_decayed(
    weight: Tensor, gradient: Tensor, state: dict[str, Tensor], numbers: Numbers, t: Tensor
) -> tuple[Tensor, dict[str, Tensor]]:
    """See `adamw.build`."""
    shrunk = weight - narrow(numbers["lr"] * numbers["weight_decay"], weight) * weight
    return update(shrunk, gradient, state, numbers, t)
