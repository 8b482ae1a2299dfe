"""Recurrent cells over whole sequences: a loop written by hand in both directions, for one model or a stack.

Torch's own derivative of such a loop would keep every intermediate value and run several small operations where this
one runs one; and `vmap` would batch each of them anew. Two doors lead to it as in `_embedding_sum.py`: an autograd
function where operations run at once, and an operator where they are compiled.
"""

from __future__ import annotations

from torch import Tensor

from dlrun.layers._recurrent_function import Cell, Kind, RecurrentFunction
from dlrun.layers._recurrent_operators import recorded
from dlrun.layers._tracing import tracing

__all__ = ["Cell", "Kind", "recurrent"]


def recurrent(
    cell: Cell,
    pre: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    mask: Tensor | None = None,
    masks: Tensor | None = None,
) -> Tensor:
    """The states [T, B, U], steps in the order of `pre` whatever the direction, or the last one [B, U].

    pre: [T, B, N], what the inputs contribute to each of the N / U gates; its memory may be used. weight: [U, N].
    bias: [1, U], for a GRU whose reset gate acts on the product. mask: bool [T, B, 1], False where the state is held.
    masks: [B, N], factors of the state, gate by gate. Differentiable once by pre, weight and bias. Bit-equal on
    repetition.
    """
    if tracing():
        return recorded(cell, pre, weight, bias, mask, masks)
    result: Tensor = RecurrentFunction.apply(cell, pre, weight, bias, mask, masks)[0]
    return result
