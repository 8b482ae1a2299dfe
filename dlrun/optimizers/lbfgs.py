"""L-BFGS: a quasi-Newton method for small problems on full batches."""

from __future__ import annotations

from functools import partial
from typing import Literal

import torch

from dlrun.contracts import OptimizerSpec
from dlrun.types import Count, Positive


def build(
    *,
    lr: Positive = 1.0,
    max_iter: Count = 20,
    history_size: Count = 100,
    line_search: Literal["strong_wolfe"] | None = "strong_wolfe",
) -> OptimizerSpec:
    """Each update runs up to max_iter iterations and evaluates the loss several times. Keras has no L-BFGS:
    defaults of torch, but with a line search, which makes the result nearly independent of lr. null: fixed
    steps of lr.
    """
    make = partial(torch.optim.LBFGS, lr=lr, max_iter=max_iter, history_size=history_size, line_search_fn=line_search)
    return OptimizerSpec(make, unstackable="L-BFGS takes one step length for all weights from the loss itself")
