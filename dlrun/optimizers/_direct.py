"""torch's optimizers without what surrounds them: no compiler to import, no profiler to tell of every step."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

EXEMPT = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")


def without_compiler() -> None:
    """Keep optimizers from importing torch's compiler just to exempt themselves from it.

    torch marks these methods so that its compiler leaves them alone, and imports it at their first call to do
    so: over a second of every start. Where it is not there yet, the plain method is its own exempted form. A
    torch that does this in another way is left as it is.
    """
    if "torch._dynamo" in sys.modules:
        return
    for name in EXEMPT:
        plain = getattr(getattr(Optimizer, name), "__wrapped__", None)
        if plain is not None and not hasattr(plain, "__dynamo_disable"):
            plain.__dynamo_disable = plain


def direct_step(optimizer: Optimizer) -> Callable[[Callable[[], Tensor]], Any]:
    """The optimizer's own `step(closure)`, less the wrappers that import the compiler, too, and that keep
    records for torch's profiler and step hooks, which dlrun does not use. The closure must enable gradients.
    """
    step = inspect.unwrap(type(optimizer).step)

    def run(closure: Callable[[], Tensor]) -> Any:
        with torch.no_grad():
            return step(optimizer, closure)

    return run
