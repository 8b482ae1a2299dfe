"""Layers that change numbers and no shapes hand a sequence's mask on as it is."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from torch import Tensor

from dlrun.contracts import Masked

Forward = Callable[[Any, Tensor], Tensor]


def keeps_mask(forward: Forward) -> Callable[[Any, Tensor | Masked], Tensor | Masked]:
    """A `forward` of values [B, ...] that also takes `Masked` and then returns it, with the same mask."""

    @wraps(forward)
    def either(self: Any, inputs: Tensor | Masked) -> Tensor | Masked:
        if isinstance(inputs, Masked):
            return Masked(forward(self, inputs.values), inputs.mask)
        return forward(self, inputs)

    return either
