"""Activation functions of recurrent cells: in place, and with slopes that their own values tell.

Backward through time then keeps one number per gate instead of two. Those of Keras's functions whose slope the value
does not tell (gelu, swish) or that are not element-wise (softmax) are therefore not offered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

CellActivation = Literal[
    "linear",
    "relu",
    "tanh",
    "sigmoid",
    "elu",
    "selu",
    "softplus",
    "softsign",
    "hard_sigmoid",
    "leaky_relu",
    "exponential",
]

_aten: Any = torch.ops.aten

SELU = 1.6732632423543772, 1.0507009873554805
"""Its alpha and its scale."""


class CellFunction(NamedTuple):
    """apply(x, out) writes f(x) into `out`, which may be `x`. backward(grad, y, out) writes grad * f'(x) into `out`
    where y = f(x); `out` may be none of the others. All of one shape."""

    apply: Callable[[Tensor, Tensor], Any]
    backward: Callable[[Tensor, Tensor, Tensor], Any]


def _identity(x: Tensor, out: Tensor) -> Tensor:
    return out if out is x else out.copy_(x)


def _ramp(x: Tensor, out: Tensor) -> Tensor:
    return torch.clamp(x, 0.0, 1.0, out=out)


def _ramp_backward(grad: Tensor, y: Tensor, out: Tensor) -> Any:
    return _aten.hardtanh_backward.grad_input(grad, y, 0.0, 1.0, grad_input=out)


def _elu(alpha: float, scale: float) -> CellFunction:
    return CellFunction(
        lambda x, out: _aten.elu.out(x, alpha, scale, 1.0, out=out),
        lambda grad, y, out: _aten.elu_backward.grad_input(grad, alpha, scale, 1.0, True, y, grad_input=out),
    )


FUNCTIONS: dict[str, CellFunction] = {
    "linear": CellFunction(_identity, lambda grad, y, out: out.copy_(grad)),
    "relu": CellFunction(
        lambda x, out: torch.clamp(x, min=0.0, out=out),
        lambda grad, y, out: _aten.threshold_backward.grad_input(grad, y, 0.0, grad_input=out),
    ),
    "tanh": CellFunction(
        lambda x, out: torch.tanh(x, out=out),
        lambda grad, y, out: _aten.tanh_backward.grad_input(grad, y, grad_input=out),
    ),
    "sigmoid": CellFunction(
        lambda x, out: torch.sigmoid(x, out=out),
        lambda grad, y, out: _aten.sigmoid_backward.grad_input(grad, y, grad_input=out),
    ),
    "elu": _elu(1.0, 1.0),
    "selu": _elu(*SELU),
    "softplus": CellFunction(
        lambda x, out: _aten.softplus.out(x, out=out),
        lambda grad, y, out: torch.mul(grad, -torch.expm1(-y), out=out),
    ),
    "softsign": CellFunction(
        lambda x, out: torch.div(x, x.abs().add_(1.0), out=out),
        lambda grad, y, out: torch.mul(grad, (1.0 - y.abs()).square_(), out=out),
    ),
    "hard_sigmoid": CellFunction(
        lambda x, out: torch.mul(x, 0.2, out=out).add_(0.5).clamp_(0.0, 1.0),
        lambda grad, y, out: _ramp_backward(grad, y, out).mul_(0.2),
    ),
    "leaky_relu": CellFunction(
        lambda x, out: _aten.leaky_relu.out(x, 0.3, out=out),
        lambda grad, y, out: _aten.leaky_relu_backward.grad_input(grad, y, 0.3, True, grad_input=out),
    ),
    "exponential": CellFunction(
        lambda x, out: torch.exp(x, out=out),
        lambda grad, y, out: torch.mul(grad, y, out=out),
    ),
    "ramp": CellFunction(_ramp, _ramp_backward),
}
"""By Keras's names, as in `_activations.py`. `ramp` is a hard sigmoid whose slope and shift are in the weights."""
