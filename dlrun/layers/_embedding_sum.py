"""Sums of rows of a table, bag by bag: a 0/1 matrix times a kernel without ever making the matrix.

With a backward of its own, because that of `F.embedding_bag` takes most of the time of a step on multi-hot
text, and with its own rule for `vmap`, because `vmap` would otherwise loop over the models. Two doors lead to
it: an autograd function where operations run at once, and an operator where they are recorded to be compiled, which
can't look into the first; the compiled code calls the operators by name, so whoever changes their arguments renames
them. They are registered at the lowest level, because those of `torch.library.custom_op` import torch's compiler
when they are called.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from dlrun.layers._tracing import tracing


def embedding_sum(values: Tensor, starts: Tensor, table: Tensor) -> Tensor:
    """Row b of the result is the sum of `table[i]` for the i in `values[starts[b]:starts[b + 1]]`; the last
    bag reaches to the end of `values`.

    values: int32 or int64 [T]. starts: integers [N], beginning with 0, never falling. table: [V, U].
    Returns [N, U]. Bit-equal on repetition, forward and backward, with any number of threads.
    """
    if tracing():
        return _OPERATOR(values, starts, table)
    return _Function.apply(values, starts, table)


def _forward(values: Tensor, starts: Tensor, table: Tensor) -> Tensor:
    # detach: what a backward of torch's own would need is not computed.
    return F.embedding_bag(values, table.detach(), starts.to(values.dtype), mode="sum")


def _gradient(grad: Tensor, values: Tensor, starts: Tensor, rows: int) -> Tensor:
    """Gradient of the table [rows, U] from that of the result, grad [N, U].

    The bags are the rows of a sparse 0/1 matrix. Those of its transpose, table row by table row the bags that
    it is in, are bags again, of rows of `grad`: one more `embedding_bag`, with neither float atomics nor a loop
    over small rows.
    """
    bag_of_sorted, firsts = (_transposed if values.device.type == "cpu" else _sorted)(values, starts, rows)
    return F.embedding_bag(bag_of_sorted, grad.contiguous(), firsts, mode="sum")


def _transposed(values: Tensor, starts: Tensor, rows: int) -> tuple[Tensor, Tensor]:
    """By scipy's counting sort: the bags in the order of their table rows [T], and where each begins [rows]."""
    from scipy.sparse import csr_matrix

    ones = np.broadcast_to(np.int8(1), len(values))
    ends = np.append(starts.numpy(), len(values)).astype(np.int32 if values.dtype == torch.int32 else np.int64)
    columns = csr_matrix((ones, values.numpy(), ends), shape=(len(starts), rows), copy=False).tocsc()
    return torch.from_numpy(columns.indices), torch.from_numpy(columns.indptr[:-1])


def _sorted(values: Tensor, starts: Tensor, rows: int) -> tuple[Tensor, Tensor]:
    """The same by a stable sort, without waiting for the device."""
    bags = torch.arange(len(starts), dtype=values.dtype, device=values.device)
    ends = torch.cat([starts[1:], starts.new_full((1,), len(values))])
    bag_of_value = torch.repeat_interleave(bags, ends - starts, output_size=len(values))
    count = torch.zeros(rows, dtype=values.dtype, device=values.device)
    count.index_add_(0, values, torch.ones_like(values))
    firsts = count.cumsum(0, dtype=values.dtype) - count
    return bag_of_value.index_select(0, torch.sort(values, stable=True).indices), firsts


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
    if in_dims[:2] == (None, None):
        # The bags are the same for all: one table whose rows have all models' numbers side by side. No copy is made
        # of tables that lie so in memory (`Dense.stacked_beside`).
        wide = table.movedim(in_dims[2], 1).flatten(1)
        return door(values, starts, wide).unflatten(1, (models, -1)).movedim(1, 0)
    values, starts, table = (
        _stacked(x, dim, models) for x, dim in zip((values, starts, table), in_dims[:3], strict=True)
    )
    _, rows, units = table.shape
    flat = door(*_flatten(values, starts, rows), table.reshape(-1, units))
    return flat.view(models, -1, units)


def _remember(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor], output: Tensor) -> None:
    values, starts, table = inputs
    ctx.rows = table.shape[0]
    ctx.save_for_backward(values, starts)


class _Function(torch.autograd.Function):
    """`embedding_sum` where operations run at once."""

    @staticmethod
    def forward(values: Tensor, starts: Tensor, table: Tensor) -> Tensor:
        return _forward(values, starts, table)

    setup_context = staticmethod(_remember)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[None, None, Tensor | None]:
        values, starts = ctx.saved_tensors
        wanted = ctx.needs_input_grad[2]
        return None, None, _gradient(grad, values, starts, ctx.rows) if wanted else None

    @staticmethod
    def vmap(info: Any, in_dims: tuple, values: Tensor, starts: Tensor, table: Tensor) -> Any:
        return _all_models(_Function.apply, info.batch_size, in_dims, values, starts, table), 0


LIBRARY = torch.library.Library("dlrun", "DEF")
LIBRARY.define("bag_sum(Tensor values, Tensor starts, Tensor table) -> Tensor")
LIBRARY.define("bag_sum_backward(Tensor grad, Tensor values, Tensor starts, int rows) -> Tensor")
LIBRARY.impl("bag_sum", _forward, "CompositeExplicitAutograd")
LIBRARY.impl("bag_sum_backward", _gradient, "CompositeExplicitAutograd")
_OPERATOR, _BACKWARD = torch.ops.dlrun.bag_sum.default, torch.ops.dlrun.bag_sum_backward.default


@torch.library.register_fake(_OPERATOR)
def _(values: Tensor, starts: Tensor, table: Tensor) -> Tensor:
    return table.new_empty(starts.shape[0], table.shape[1])


@torch.library.register_fake(_BACKWARD)
def _(grad: Tensor, values: Tensor, starts: Tensor, rows: int) -> Tensor:
    return grad.new_empty(rows, grad.shape[1])


def _operator_backward(ctx: Any, grad: Tensor) -> tuple[None, None, Tensor | None]:
    values, starts = ctx.saved_tensors
    wanted = ctx.needs_input_grad[2]
    return None, None, _BACKWARD(grad, values, starts, ctx.rows) if wanted else None


torch.library.register_autograd(_OPERATOR, _operator_backward, setup_context=_remember)


@torch.library.register_vmap(_OPERATOR)
def _(info: Any, in_dims: tuple, values: Tensor, starts: Tensor, table: Tensor) -> tuple[Tensor, int]:
    return _all_models(_OPERATOR, info.batch_size, in_dims, values, starts, table), 0
