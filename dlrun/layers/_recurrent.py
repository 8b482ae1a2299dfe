"""Recurrent cells over whole sequences: a loop written by hand in both directions, for one model or a stack.

Torch's own derivative of such a loop would keep every intermediate value and run several small operations where this
one runs one; and `vmap` would batch each of them anew. Two doors lead here as in `_embedding_sum.py`: an autograd
function where operations run at once, and an operator where they are compiled, which would otherwise mean one copy
of the cell per step. Whoever changes the operator's arguments renames it.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from dlrun.layers import _gru_loop, _lstm_loop, _simple_rnn_loop
from dlrun.layers._tracing import tracing

Kind = Literal["simple_rnn", "lstm", "gru"]


class Cell(NamedTuple):
    """activation, gate: names of `_recurrent_functions.FUNCTIONS`. backwards: from the last step to the first. last:
    only the state after the last step, in the loop's order, is wanted."""

    kind: str
    activation: str
    gate: str
    backwards: bool
    last: bool


def recurrent(
    cell: Cell,
    pre: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    mask: Tensor | None = None,
    masks: Tensor | None = None,
) -> Tensor:
    """The states [T, B, U], steps in the order of `pre` whatever the direction, or the last one [B, U].

    pre: [T, B, N], what the inputs contribute to each of the N / U gates; its memory may be used. weight: [U, N]. bias: [1, U], for a GRU
    whose reset gate acts on the product. mask: bool [T, B, 1], False where the state is held. masks: [B, N], factors
    of the state, gate by gate. Differentiable once by pre, weight and bias. Bit-equal on repetition.
    """
    if tracing():
        out: list[Tensor] = _operator(pre, weight, bias, mask, masks, *cell)
        return out[0]
    result: Tensor = _Function.apply(cell, pre, weight, bias, mask, masks)[0]
    return result


def _forward(
    cell: Cell, pre: Tensor, weight: Tensor, bias: Tensor | None, mask: Tensor | None, masks: Tensor | None
) -> list[Tensor]:
    """What is wanted and then what backward needs beside the gates, whose values take the place of `pre`."""
    match cell.kind:
        case "lstm":
            kept = _lstm_loop.forward(pre, weight, mask, masks, cell.activation, cell.gate, cell.backwards)
        case "gru":
            kept = _gru_loop.forward(pre, weight, bias, mask, masks, cell.activation, cell.gate, cell.backwards)
        case _:
            kept = _simple_rnn_loop.forward(pre, weight, mask, masks, cell.activation, cell.backwards)
    return [kept[0][0 if cell.backwards else -1].clone(), *kept] if cell.last else kept


def _backward(
    cell: Cell,
    grad: Tensor,
    kept: list[Tensor],
    gates: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    mask: Tensor | None,
    masks: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Gradients of pre, weight and bias."""
    match cell.kind:
        case "lstm":
            how = cell.activation, cell.gate, cell.backwards
            return *_lstm_loop.backward(grad, gates, kept, weight, mask, masks, *how), None
        case "gru":
            how = cell.activation, cell.gate, cell.backwards
            return _gru_loop.backward(grad, gates, kept, weight, bias, mask, masks, *how)
    return *_simple_rnn_loop.backward(grad, kept, weight, mask, masks, cell.activation, cell.backwards), None


def _all_models(door: Any, cell: Cell, models: int, in_dims: tuple, tensors: tuple) -> tuple[list[Tensor], list[int]]:
    """One loop for a whole stack: the models' axis comes after that of the steps. What all models share is repeated
    without a copy; a mask that all share needs no such axis."""
    placed = []
    for tensor, dim, axis, shared in zip(
        tensors, in_dims, (1, 0, 0, 1, 0), (False, False, False, True, True), strict=True
    ):
        if tensor is not None and dim is not None:
            tensor = tensor.movedim(dim, axis)
        elif tensor is not None and not shared:
            shape = [*tensor.shape]
            tensor = tensor.unsqueeze(axis).expand(*shape[:axis], models, *shape[axis:])
            tensor = tensor.clone() if axis else tensor  # its memory is used
        elif tensor is not None:
            tensor = tensor.unsqueeze(axis)
        placed.append(tensor)
    out = list(door(cell, *placed))
    return out, [0 if cell.last else 1, *[1] * (len(out) - 1)]


class _Function(torch.autograd.Function):
    """`recurrent` where operations run at once; returns what backward needs, too."""

    @staticmethod
    def forward(cell: Cell, *tensors: Any) -> tuple[Tensor, ...]:
        return tuple(_forward(cell, *tensors))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: tuple[Tensor, ...]) -> None:
        ctx.cell, *tensors = inputs
        ctx.mark_non_differentiable(*output[1:])
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*tensors, *output[1 if ctx.cell.last else 0 :])

    @staticmethod
    def backward(ctx: Any, grad: Tensor | None, *_: Any) -> tuple[Tensor | None, ...]:
        if grad is None:
            return (None,) * 6
        tensors, kept = ctx.saved_tensors[:5], list(ctx.saved_tensors[5:])
        return None, *_backward(ctx.cell, grad, kept, *tensors), None, None

    @staticmethod
    def vmap(info: Any, in_dims: tuple, cell: Cell, *tensors: Any) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
        out, dims = _all_models(_Function.apply, cell, info.batch_size, in_dims[1:], tensors)
        return tuple(out), tuple(dims)


@torch.library.custom_op("dlrun::recurrent", mutates_args=())
def _operator(
    pre: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    mask: Tensor | None,
    masks: Tensor | None,
    kind: str,
    activation: str,
    gate: str,
    backwards: bool,
    last: bool,
) -> list[Tensor]:
    gates = pre.clone(memory_format=torch.contiguous_format)
    return [*_forward(Cell(kind, activation, gate, backwards, last), gates, weight, bias, mask, masks), gates]


@_operator.register_fake
def _(
    pre: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    mask: Tensor | None,
    masks: Tensor | None,
    kind: str,
    activation: str,
    gate: str,
    backwards: bool,
    last: bool,
) -> list[Tensor]:
    states = (*pre.shape[:-1], weight.shape[-2])
    shapes: list[tuple[int, ...]] = [states[1:]] if last else []
    match kind:
        case "lstm":
            shapes += [states, states, states]
        case "gru":
            shapes += [states, *([] if bias is None else [states])]
        case _:
            shapes += [states, *([] if mask is None else [states])]
    shapes.append((*pre.shape,))
    return [pre.new_empty(shape) for shape in shapes]


@torch.library.custom_op("dlrun::recurrent_backward", mutates_args=())
def _backward_operator(
    grad: Tensor,
    kept: list[Tensor],
    gates: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    mask: Tensor | None,
    masks: Tensor | None,
    kind: str,
    activation: str,
    gate: str,
    backwards: bool,
) -> list[Tensor]:
    cell = Cell(kind, activation, gate, backwards, last=False)
    return [t for t in _backward(cell, grad, kept, gates, weight, bias, mask, masks) if t is not None]


@_backward_operator.register_fake
def _(
    grad: Tensor,
    kept: list[Tensor],
    gates: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    mask: Tensor | None,
    masks: Tensor | None,
    kind: str,
    activation: str,
    gate: str,
    backwards: bool,
) -> list[Tensor]:
    return [torch.empty_like(t) for t in (gates, weight, bias) if t is not None]


def _remember(ctx: Any, inputs: tuple, output: list[Tensor]) -> None:
    ctx.cell = Cell(*inputs[5:])
    ctx.save_for_backward(output[-1], *inputs[1:5], *output[1 if ctx.cell.last else 0 : -1])


def _operator_backward(ctx: Any, grads: list[Tensor | None]) -> tuple[Tensor | None, ...]:
    tensors, kept = ctx.saved_tensors[:5], list(ctx.saved_tensors[5:])
    if grads[0] is None:
        return (None,) * 10
    found = _backward_operator(grads[0], kept, *tensors, *ctx.cell[:4])
    return found[0], found[1], found[2] if len(found) > 2 else None, *(None,) * 7


_operator.register_autograd(_operator_backward, setup_context=_remember)


@_operator.register_vmap
def _(info: Any, in_dims: tuple, *arguments: Any) -> tuple[list[Tensor], list[int]]:
    def door(cell: Cell, *tensors: Any) -> list[Tensor]:
        out: list[Tensor] = _operator(*tensors, *cell)
        return out

    return _all_models(door, Cell(*arguments[5:]), info.batch_size, in_dims[:5], arguments[:5])
