"""The LSTM's loop over the steps, forward and backward. Gates stand in the order i, f, o, c, so that those of one
activation function are neighbours."""

from __future__ import annotations

import torch
from torch import Tensor

from dlrun.layers._cell_activations import FUNCTIONS
from dlrun.layers._recurrent_parts import Product, blocks, by_step, later_and_before, order


def forward(
    gates: Tensor,
    weight: Tensor,
    mask: Tensor | None,
    masks: Tensor | None,
    activation: str,
    gate: str,
    backwards: bool,
) -> list[Tensor]:
    """gates: [T, ..., B, 4U], what the inputs and the bias contribute; the gates' values take its place. weight:
    [..., U, 4U]. mask: bool [T, ..., B, 1], False where the state is held. masks: of the recurrent dropout,
    [..., B, 4U].

    Returns the states [T, ..., B, U], the cells and the activated cells, all alike.
    """
    act, gated = FUNCTIONS[activation].apply, FUNCTIONS[gate].apply
    units = weight.shape[-2]
    cells, active, states = (gates.new_empty(*gates.shape[:-1], units) for _ in range(3))
    product = Product(weight, masks)
    state = cell = gates.new_zeros(states.shape[1:])
    i, f, o, new = by_step(gates, units, units, units, units)
    sigmoids, alls = gates[..., : 3 * units].unbind(0), gates.unbind(0)
    all_cells, all_active, all_states = cells.unbind(0), active.unbind(0), states.unbind(0)
    for t in order(len(gates), backwards):
        product.forward(alls[t], state, alls[t])
        gated(sigmoids[t], sigmoids[t])
        act(new[t], new[t])
        torch.mul(f[t], cell, out=all_cells[t]).addcmul_(i[t], new[t])
        act(all_cells[t], all_active[t])
        torch.mul(o[t], all_active[t], out=all_states[t])
        if mask is not None:
            torch.where(mask[t], all_cells[t], cell, out=all_cells[t])
            torch.where(mask[t], all_states[t], state, out=all_states[t])
        cell, state = all_cells[t], all_states[t]
    return [states, cells, active]


def backward(
    grad: Tensor,
    gates: Tensor,
    kept: list[Tensor],
    weight: Tensor,
    mask: Tensor | None,
    masks: Tensor | None,
    activation: str,
    gate: str,
    backwards: bool,
) -> tuple[Tensor, Tensor]:
    """Gradients of what the inputs contribute, and of `weight`. grad: that of all states [T, ..., B, U] or of the last,
    [..., B, U]. gates: their values. kept: what `forward` returned."""
    act, gated = FUNCTIONS[activation].backward, FUNCTIONS[gate].backward
    states, cells, active = kept
    units = weight.shape[-2]
    product = Product(weight, masks)
    grads = torch.empty_like(gates)
    i, f, o, new = gates.split(units, -1)
    d_i, d_f, d_o, d_new = grads.split(units, -1)
    each_i, each_f, each_o, each_new = by_step(grads, units, units, units, units)
    each, each_grad = grads.unbind(0), grad.unbind(0) if grad.ndim == states.ndim else None
    d_state = grad.clone() if each_grad is None else torch.zeros_like(states[0])
    d_cell, nothing = torch.zeros_like(d_state), torch.zeros_like(states[:1])
    for block in reversed(blocks(gates, backwards)):
        now = block.steps
        # All factors that do not depend on later steps, for a block of steps at once.
        gated(new[now], i[now], d_i[now])
        gated(nothing if block.before is None else cells[block.before], f[now], d_f[now])
        gated(active[now], o[now], d_o[now])
        act(i[now], new[now], d_new[now])
        through, forget = torch.empty_like(active[now]), f[now]
        act(o[now], active[now], through)
        if mask is not None:
            grads[now].mul_(mask[now])
            through.mul_(mask[now])
            forget = torch.where(mask[now], forget, 1.0)
        each_through, each_forget = through.unbind(0), forget.unbind(0)
        for t in reversed(block.order):
            if each_grad is not None:
                d_state.add_(each_grad[t])
            d_cell.addcmul_(d_state, each_through[t - now.start])
            each_o[t].mul_(d_state)
            each_i[t].mul_(d_cell)
            each_f[t].mul_(d_cell)
            each_new[t].mul_(d_cell)
            d_cell.mul_(each_forget[t - now.start])
            if mask is not None:
                d_state.masked_fill_(mask[t], 0.0)
            product.backward(each[t], d_state, keep=mask is not None)
    later, before = later_and_before(len(gates), backwards)
    return grads, product.weight_gradient(states[before], grads[later])
