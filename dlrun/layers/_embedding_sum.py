"""Sums of rows of a table, bag by bag: a 0/1 matrix times a kernel without ever making the matrix.

With a backward of its own, because that of `F.embedding_bag` takes most of the time of a step on multi-hot
text, and with its own rule for `vmap`, because `vmap` would otherwise loop over the models. Two doors lead to
it: an autograd function where operations run at once, and an operator where they are compiled, because
torch's compiler can't look into the first and calling the second imports the compiler. Whoever changes an
operator's arguments renames it: the cache of compiled graphs on disk knows operators by name only.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def embedding_sum(values: Tensor, starts: Tensor, table: Tensor) -> Tensor:
    """Row b of the result is the sum of `table[i]` for the i in `values[starts[b]:starts[b + 1]]`; the last
    bag reaches to the end of `values`.

    values: int32 or int64 [T]. starts: integers [N], beginning with 0, never falling. table: [V, U].
    Returns [N, U]. Bit-equal on repetition, forward and backward, with any number of threads.
    """
    if torch.compiler.is_compiling():
        return _operator(values, starts, table)
    return _Function.apply(values, starts, table, 1)


def _forward(values: Tensor, starts: Tensor, table: Tensor) -> Tensor:
    # detach: what a backward of torch's own would need is not computed.
    return F.embedding_bag(values, table.detach(), starts.to(values.dtype), mode="sum")


def _gradient(grad: Tensor, values: Tensor, starts: Tensor, rows: int, models: int) -> Tensor:
    """Gradient of the table [rows, U] from that of the result, grad [N, U].

    Sorted by table row the pairs (table row, bag) are themselves bags, of rows of `grad`: the transposed
    matrix costs one integer sort and one more `embedding_bag`, with neither float atomics nor a loop over
    small rows. models: as in `_flatten`.
    """
    bags = torch.arange(len(starts), dtype=values.dtype, device=values.device)
    ends = torch.cat([starts[1:], starts.new_full((1,), len(values))])
    bag_of_value = torch.repeat_interleave(bags, ends - starts, output_size=len(values))
    if values.device.type == "cpu":
        count = torch.bincount(values, minlength=rows)  # elsewhere it would wait for the device
    else:
        count = torch.zeros(rows, dtype=torch.int64, device=values.device)
        count.index_add_(0, values, torch.ones_like(values, dtype=torch.int64))
    firsts = (count.cumsum(0) - count).to(values.dtype)
    bag_of_sorted = bag_of_value.index_select(0, _order(values, rows, models))
    return F.embedding_bag(bag_of_sorted, grad.contiguous(), firsts, mode="sum")


def _order(values: Tensor, rows: int, models: int) -> Tensor:
    """Stable order of `values`, int64 [T]. Radix sort on the CPU takes one pass per byte and only 1-d
    tensors, so each model's part is sorted by itself, in the narrowest type that holds its rows."""
    part, length = rows // models, len(values) // models
    if part >= 2**15 or values.device.type != "cpu":
        return torch.sort(values, stable=True).indices
    orders = [
        torch.sort((chunk - model * part).to(torch.int16), stable=True).indices.add_(model * length)
        for model, chunk in enumerate(values.view(models, length))
    ]
    return torch.cat(orders)


def _stacked(x: Tensor, dim: int | None, models: int) -> Tensor:
    """`x` with the models' axis in front; what all models share is repeated without a copy."""
    return x.expand(models, *x.shape) if dim is None else x.movedim(dim, 0)


def _flatten(values: Tensor, starts: Tensor, rows: int) -> tuple[Tensor, Tensor]:
    """The bags of all models in a row: values [K, T] and starts [K, N] to [K * T] and [K * N]; model k reads
    the rows of the table from k * rows."""
    models, length = values.shape
    if models * max(length, rows) >= 2**31:
        values = values.long()
    model = torch.arange(models, device=values.device)[:, None]
    shifted = values + (model * rows).to(values.dtype)
    return shifted.flatten(), (starts + model * length).flatten()


def _all_models(door: Any, models: int, in_dims: tuple, values: Tensor, starts: Tensor, table: Tensor) -> Tensor:
    """One call of `door` for a whole stack: [models, N, U]."""
    values, starts, table = (
        _stacked(x, dim, models) for x, dim in zip((values, starts, table), in_dims[:3], strict=True)
    )
    _, rows, units = table.shape
    flat = door(*_flatten(values, starts, rows), table.reshape(-1, units), models)
    return flat.view(models, -1, units)


def _remember(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor, int], output: Tensor) -> None:
    values, starts, table, ctx.models = inputs
    ctx.rows = table.shape[0]
    ctx.save_for_backward(values, starts)


class _Function(torch.autograd.Function):
    """`embedding_sum` of `models` equal parts: part k of `values` reads only part k of the table."""

    @staticmethod
    def forward(values: Tensor, starts: Tensor, table: Tensor, models: int) -> Tensor:
        return _forward(values, starts, table)

    setup_context = staticmethod(_remember)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[None, None, Tensor | None, None]:
        values, starts = ctx.saved_tensors
        wanted = ctx.needs_input_grad[2]
        return None, None, _gradient(grad, values, starts, ctx.rows, ctx.models) if wanted else None, None

    @staticmethod
    def vmap(info: Any, in_dims: tuple, values: Tensor, starts: Tensor, table: Tensor, models: int) -> Any:
        assert models == 1, "a stack of stacks is not supported"
        return _all_models(_Function.apply, info.batch_size, in_dims, values, starts, table), 0


@torch.library.custom_op("dlrun::embedding_sum", mutates_args=())
def _operator(values: Tensor, starts: Tensor, table: Tensor, models: int = 1) -> Tensor:
    return _forward(values, starts, table)


@_operator.register_fake
def _(values: Tensor, starts: Tensor, table: Tensor, models: int = 1) -> Tensor:
    return table.new_empty(starts.shape[0], table.shape[1])


@torch.library.custom_op("dlrun::embedding_sum_backward", mutates_args=())
def _backward_operator(grad: Tensor, values: Tensor, starts: Tensor, rows: int, models: int) -> Tensor:
    return _gradient(grad, values, starts, rows, models)


@_backward_operator.register_fake
def _(grad: Tensor, values: Tensor, starts: Tensor, rows: int, models: int) -> Tensor:
    return grad.new_empty(rows, grad.shape[1])


def _operator_backward(ctx: Any, grad: Tensor) -> tuple[None, None, Tensor | None, None]:
    values, starts = ctx.saved_tensors
    wanted = ctx.needs_input_grad[2]
    return None, None, _backward_operator(grad, values, starts, ctx.rows, ctx.models) if wanted else None, None


_operator.register_autograd(_operator_backward, setup_context=_remember)


@_operator.register_vmap
def _(info: Any, in_dims: tuple, values: Tensor, starts: Tensor, table: Tensor, models: int = 1) -> tuple[Tensor, int]:
    assert models == 1, "a stack of stacks is not supported"
    return _all_models(_operator, info.batch_size, in_dims, values, starts, table), 0
