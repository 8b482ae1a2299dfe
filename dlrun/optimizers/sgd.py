"""Stochastic gradient descent, with momentum if wanted."""

from __future__ import annotations

from functools import partial

import torch

from dlrun.contracts import OptimizerSpec
from dlrun.types import Positive, Rate


def build(*, lr: Positive = 0.01, momentum: Rate = 0.0, nesterov: bool = False) -> OptimizerSpec:
    """`v = momentum * v + gradient`, then `w -= lr * v`; with nesterov `w -= lr * (gradient + momentum * v)`.

    Defaults of Keras 2.0.8. At a constant lr this is Keras's form, whose velocity contains lr, and nesterov
    is the loop of the book's section 2.4.3; where a schedule changes lr, the new lr scales the whole
    velocity at once. nesterov without momentum is plain descent, as in Keras.
    """
    # Not fused: on the CPU the last bits of an element then depend on its place in the tensor.
    nesterov = nesterov and momentum > 0.0
    return OptimizerSpec(partial(torch.optim.SGD, lr=lr, momentum=momentum, nesterov=nesterov, foreach=True))
