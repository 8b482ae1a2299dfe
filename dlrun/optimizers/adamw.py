"""Adam with decoupled weight decay: every update also shrinks the weights."""

from __future__ import annotations

from functools import partial

import torch

from dlrun.contracts import OptimizerSpec
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
    # Not fused: on the CPU the last bits of an element then depend on its place in the tensor.
    return OptimizerSpec(
        partial(
            torch.optim.AdamW,
            lr=lr,
            betas=(beta_1, beta_2),
            eps=epsilon,
            weight_decay=weight_decay,
            foreach=True,
        )
    )
