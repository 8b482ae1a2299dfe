"""Numbers of layers that each model of a stack may have its own of (`settings` in `stack.Stack`)."""

from __future__ import annotations

from typing import Any

from torch import Tensor


def narrow(number: Any, like: Tensor) -> Any:
    """A number ready to be multiplied with: a scalar tensor of double width would widen others."""
    return number.to(like.dtype) if isinstance(number, Tensor) else number
