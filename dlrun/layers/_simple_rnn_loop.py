"""The simple recurrent cell's loop over the steps, forward and backward."""

from __future__ import annotations

import torch
from torch import Tensor

from dlrun.layers._cell_activations import FUNCTIONS
from dlrun.layers._recurrent_parts import Product, blocks, later_and_before, order


def forward(
    pre: Tensor, weight: Tensor, mask: Tensor | None, masks: Tensor | None, activation: str, backwards: bool
) -> list[Tensor]:
    """Arguments as in `_lstm_loop.forward`, with one gate. Returns the states [T, ..., B, U], and, where steps are
    masked, what they would be had none been held."""
    act = FUNCTIONS[activation].apply
    product = Product(weight, masks)
    states = pre.new_empty(pre.shape)
    free = states if mask is None else pre.new_empty(pre.shape)
    state = pre.new_zeros(pre.shape[1:])
    starts, all_states, all_free = pre.unbind(0), states.unbind(0), free.unbind(0)
    for t in order(len(pre), backwards):
        product.forward(starts[t], state, all_free[t])
        act(all_free[t], all_free[t])
        if mask is not None:
            torch.where(mask[t], all_free[t], state, out=all_states[t])
        state = all_states[t]
    return [states] if mask is None else [states, free]


def backward(
    grad: Tensor,
    kept: list[Tensor],
    weight: Tensor,
    mask: Tensor | None,
    masks: Tensor | None,
    activation: str,
    backwards: bool,
) -> tuple[Tensor, Tensor]:
    """Gradients of `pre` and `weight`, as in `_lstm_loop.backward`."""
    act = FUNCTIONS[activation].backward
    states, free = kept[0], kept[-1]
    product = Product(weight, masks)
    grads = torch.empty_like(states)
    each, each_grad = grads.unbind(0), grad.unbind(0) if grad.ndim == states.ndim else None
    d_state = grad.clone() if each_grad is None else torch.zeros_like(states[0])
    for block in reversed(blocks(states, backwards)):
        now = block.steps
        act(
            torch.ones_like(free[now]) if mask is None else mask[now].to(free.dtype).expand_as(free[now]),
            free[now],
            grads[now],
        )
        for t in reversed(block.order):
            if each_grad is not None:
                d_state.add_(each_grad[t])
            each[t].mul_(d_state)
            if mask is not None:
                d_state.masked_fill_(mask[t], 0.0)
            product.backward(each[t], d_state, keep=mask is not None)
    later, before = later_and_before(len(states), backwards)
    return grads, product.weight_gradient(states[before], grads[later])
