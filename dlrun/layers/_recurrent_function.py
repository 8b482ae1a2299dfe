"""Recurrent cells over whole sequences as an autograd function: for one model, and under `vmap` for a stack."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from dlrun.layers import _gru_loop, _lstm_loop, _simple_rnn_loop

Kind = Literal["simple_rnn", "lstm", "gru"]


class Cell(NamedTuple):
    """activation, gate: names of `_cell_activations.FUNCTIONS`. backwards: from the last step to the first. last:
    only the state after the last step, in the loop's order, is wanted."""

    kind: str
    activation: str
    gate: str
    backwards: bool
    last: bool


def forward(
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


def backward(
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


def all_models(models: int, in_dims: tuple, tensors: tuple) -> list[Tensor | None]:
    """Arguments of one loop for a whole stack: the models' axis comes after that of the steps. What all models share
    is repeated without a copy, except `pre`, whose memory is used; a mask that all share needs no such axis."""
    placed = []
    for tensor, dim, axis, broadcasts in zip(
        tensors, in_dims, (1, 0, 0, 1, 0), (False, False, False, True, True), strict=True
    ):
        if tensor is not None and dim is not None:
            tensor = tensor.movedim(dim, axis)
        elif tensor is not None:
            tensor = tensor.unsqueeze(axis)
            if not broadcasts:
                tensor = tensor.expand(*tensor.shape[:axis], models, *tensor.shape[axis + 1 :])
        placed.append(tensor.clone() if axis and dim is None and not broadcasts else tensor)
    return placed


class RecurrentFunction(torch.autograd.Function):
    """`_recurrent.recurrent`; returns what backward needs, too."""

    @staticmethod
    def forward(cell: Cell, *tensors: Any) -> tuple[Tensor, ...]:
        return tuple(forward(cell, *tensors))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: tuple[Tensor, ...]) -> None:
        ctx.cell, *tensors = inputs
        ctx.mark_non_differentiable(*output[1:])
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*tensors, *output[1 if ctx.cell.last else 0 :])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor | None, *_: Any) -> tuple[Tensor | None, ...]:
        if grad is None:
            return (None,) * 6
        tensors, kept = ctx.saved_tensors[:5], list(ctx.saved_tensors[5:])
        return None, *backward(ctx.cell, grad, kept, *tensors), None, None

    @staticmethod
    def vmap(info: Any, in_dims: tuple, cell: Cell, *tensors: Any) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
        out: tuple[Tensor, ...] = RecurrentFunction.apply(cell, *all_models(info.batch_size, in_dims[1:], tensors))
        return out, (0 if cell.last else 1, *(1,) * (len(out) - 1))
