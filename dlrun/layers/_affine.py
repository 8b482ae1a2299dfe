"""`x @ kernel + bias` by the faster of the two libraries that torch carries for products on a CPU.

Torch gives float32 products to MKL, which on AMD's processors takes up to twice oneDNN's time; torch's compiler
calls oneDNN through the same operator as this file does. Small products stay with MKL, whose call is cheaper.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from dlrun.layers._tracing import tracing

LARGE = 2**22
"""Multiplications from which oneDNN is faster: some 50 microseconds of work."""


def affine(x: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
    """x [B, V], kernel [V, U], bias [U]; returns [B, U]. Bit-equal on repetition, differentiable twice."""
    if (
        x.device.type == "cpu"
        and x.dtype == kernel.dtype == torch.float32
        and len(x) * kernel.numel() >= LARGE
        and kernel.is_contiguous()  # of columns of a wider one oneDNN makes a thing of seconds
        and not tracing()
        and torch.backends.mkldnn.is_available()
        and torch.backends.mkldnn.enabled
    ):
        return _OneDNN.apply(x, kernel, bias)
    return torch.addmm(bias, x, kernel)


class _OneDNN(torch.autograd.Function):
    @staticmethod
    def forward(x: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
        return torch.ops.mkldnn._linear_pointwise(x, kernel.t(), bias, "none", [], "")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs[:2])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, kernel = ctx.saved_tensors
        wants_x, wants_kernel, wants_bias = ctx.needs_input_grad
        return (
            grad @ kernel.t() if wants_x else None,
            x.t() @ grad if wants_kernel else None,
            grad.sum(0) if wants_bias else None,
        )

    @staticmethod
    def vmap(info: Any, in_dims: tuple, x: Tensor, kernel: Tensor, bias: Tensor) -> tuple[Tensor, int]:
        x, kernel, bias = (
            t.expand(info.batch_size, *t.shape) if dim is None else t.movedim(dim, 0)
            for t, dim in zip((x, kernel, bias), in_dims, strict=True)
        )
        return torch.baddbmm(bias[:, None], x, kernel), 0
