"""Adam with decoupled weight decay: every update also shrinks the weights."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from dlrun.contracts import OptimizerSpec, Rule
from dlrun.optimizers import _adam
from dlrun.types import NonNegative, Positive, Rate


def build(
    *,
    lr: Positive = 0.001,
    weight_decay: NonNegative = 0.004,
    beta_1: Rate = 0.9,
    beta_2: Rate = 0.999,
    epsilon: Positive = 1e-7,
) -> OptimizerSpec:
    """`w -= lr * weight_decay * w`, then Adam's update. All weights decay, biases too, as in Keras.

    Defaults of Keras 3; the book's version has no AdamW. epsilon as in `adam`.
    """

    def make(parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        weights = list(parameters)
        # Not fused: on the CPU the last bits of an element then depend on its place in the tensor.
        return torch.optim.AdamW(
            weights, lr=lr, betas=(beta_1, beta_2), eps=epsilon, weight_decay=weight_decay, foreach=True,
            capturable=all(weight.is_cuda for weight in weights),
        )  # fmt: skip

    numbers = {"lr": lr, "weight_decay": weight_decay, "beta_1": beta_1, "beta_2": beta_2, "epsilon": epsilon}
    return OptimizerSpec(make, rule=Rule(numbers, _adam.initial, _adam.update_decayed, _adam.factors, counts=True))
