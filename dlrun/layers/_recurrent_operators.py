"""`_recurrent.recurrent` as an operator of torch, for updates that are recorded and compiled.

Unrolled, a recorded loop would be a copy of the cell per step, and an autograd function can't be recorded at all.
Whoever changes an operator's arguments renames it: the cache of compiled graphs on disk knows operators by name only.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from dlrun.layers._recurrent_function import Cell, all_models, backward, forward

LIBRARY = torch.library.Library("dlrun", "FRAGMENT")
TENSORS = "Tensor weight, Tensor? bias, Tensor? mask, Tensor? masks, str kind, str activation, str gate, bool backwards"

LIBRARY.define(f"recurrent(Tensor pre, {TENSORS}, bool last) -> Tensor[]")
LIBRARY.define(f"recurrent_backward(Tensor grad, Tensor[] kept, Tensor gates, {TENSORS}) -> Tensor[]")

_operator: Any = torch.ops.dlrun.recurrent.default
_backward_operator: Any = torch.ops.dlrun.recurrent_backward.default


def recorded(cell: Cell, *tensors: Any) -> Tensor:
    """Arguments and result as in `recurrent`."""
    out: list[Tensor] = _operator(*tensors, *cell)
    return out[0]


@torch.library.impl(LIBRARY, "recurrent", "CompositeExplicitAutograd")
def _(pre: Tensor, *arguments: Any) -> list[Tensor]:
    gates = pre.clone(memory_format=torch.contiguous_format)
    return [*forward(Cell(*arguments[4:]), gates, *arguments[:4]), gates]


@torch.library.impl(LIBRARY, "recurrent_backward", "CompositeExplicitAutograd")
def _(grad: Tensor, kept: list[Tensor], gates: Tensor, *arguments: Any) -> list[Tensor]:
    weight, bias, mask, masks, *how = arguments
    cell = Cell(*[*how, False])
    return [t for t in backward(cell, grad, kept, gates, weight, bias, mask, masks) if t is not None]


@torch.library.register_fake("dlrun::recurrent", lib=LIBRARY)
def _(pre: Tensor, weight: Tensor, bias: Tensor | None, mask: Tensor | None, masks: Any, *cell: Any) -> list[Tensor]:
    kind, last = cell[0], cell[-1]
    states = (*pre.shape[:-1], weight.shape[-2])
    more = {"lstm": 2, "gru": bias is not None, "simple_rnn": mask is not None}[kind]
    shapes = [*([states[1:]] if last else []), states, *[states] * more, tuple(pre.shape)]
    return [pre.new_empty(shape) for shape in shapes]


@torch.library.register_fake("dlrun::recurrent_backward", lib=LIBRARY)
def _(grad: Tensor, kept: Any, gates: Tensor, weight: Tensor, bias: Tensor | None, *_: Any) -> list[Tensor]:
    return [torch.empty_like(t) for t in (gates, weight, bias) if t is not None]


@torch.library.register_vmap("dlrun::recurrent", lib=LIBRARY)
def _(info: Any, in_dims: tuple, *arguments: Any) -> tuple[list[Tensor], list[int]]:
    cell = Cell(*arguments[5:])
    out = _operator(*all_models(info.batch_size, in_dims[:5], arguments[:5]), *cell)
    return out, [0 if cell.last else 1, *[1] * (len(out) - 1)]


def _remember(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:
    ctx.cell = Cell(*inputs[5:])
    ctx.save_for_backward(output[-1], *inputs[1:5], *output[1 if ctx.cell.last else 0 : -1])


def _derivative(ctx: Any, grads: list[Tensor]) -> tuple[Tensor | None, ...]:
    tensors, kept = ctx.saved_tensors[:5], list(ctx.saved_tensors[5:])
    pre, weight, *bias = _backward_operator(grads[0], kept, *tensors, *ctx.cell[:4])
    return pre, weight, bias[0] if bias else None, *(None,) * 7


torch.library.register_autograd("dlrun::recurrent", _derivative, setup_context=_remember, lib=LIBRARY)
