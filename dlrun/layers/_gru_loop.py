"""The GRU's loop over the steps, forward and backward. Gates stand in Keras's order: z, r, h."""

from __future__ import annotations

import torch
from torch import Tensor

from dlrun.layers._cell_activations import FUNCTIONS
from dlrun.layers._recurrent_parts import Product, blocks, by_step, later_and_before, order


def _products(weight: Tensor, masks: Tensor | None) -> tuple[Product, Product]:
    """Of the two gates, and of the new state."""
    both = 2 * weight.shape[-2]
    return (
        Product(weight[..., :both], None if masks is None else masks[..., :both]),
        Product(weight[..., both:], None if masks is None else masks[..., both:]),
    )


def forward(
    gates: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    mask: Tensor | None,
    masks: Tensor | None,
    activation: str,
    gate: str,
    backwards: bool,
) -> list[Tensor]:
    """Arguments as in `_lstm_loop.forward`, with three gates. bias: None where the reset gate r acts on the state
    before its product with the weight; where it acts on the product, the bias of that product, [..., 1, U].

    Returns the states [T, ..., B, U] and, where there is a bias, the products that r acted on, like the states.
    """
    act, gated = FUNCTIONS[activation].apply, FUNCTIONS[gate].apply
    units = weight.shape[-2]
    states = gates.new_empty(*gates.shape[:-1], units)
    inner = states.new_empty(states.shape if bias is not None else (len(gates), 0))
    for_gates, for_new = _products(weight, masks)
    state = gates.new_zeros(states.shape[1:])
    reset, scratch = torch.empty_like(state), inner.unbind(0)
    z, r, new = by_step(gates, units, units, units)
    both, all_states = gates[..., : 2 * units].unbind(0), states.unbind(0)
    for t in order(len(gates), backwards):
        for_gates.forward(both[t], state, both[t])
        gated(both[t], both[t])
        if bias is None:
            torch.mul(r[t], state, out=reset)
            for_new.forward(new[t], reset, new[t])
        else:
            for_new.forward(bias, state, scratch[t])
            torch.addcmul(new[t], r[t], scratch[t], out=new[t])
        act(new[t], new[t])
        torch.lerp(new[t], state, z[t], out=all_states[t])
        if mask is not None:
            torch.where(mask[t], all_states[t], state, out=all_states[t])
        state = all_states[t]
    return [states] if bias is None else [states, inner]


def backward(
    grad: Tensor,
    gates: Tensor,
    kept: list[Tensor],
    weight: Tensor,
    bias: Tensor | None,
    mask: Tensor | None,
    masks: Tensor | None,
    activation: str,
    gate: str,
    backwards: bool,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Gradients of what the inputs contribute, `weight` and `bias`, as in `_lstm_loop.backward`."""
    act, gated = FUNCTIONS[activation].backward, FUNCTIONS[gate].backward
    states = kept[0]
    units = weight.shape[-2]
    for_gates, for_new = _products(weight, masks)
    grads = torch.empty_like(gates)
    z, r, new = gates.split(units, -1)
    d_z, d_r, d_new = grads.split(units, -1)
    each_z, each_r, each_new = by_step(grads, units, units, units)
    each_both, reset = grads[..., : 2 * units].unbind(0), r.unbind(0)
    each_grad = grad.unbind(0) if grad.ndim == states.ndim else None
    d_state = grad.clone() if each_grad is None else torch.zeros_like(states[0])
    d_inner = states.new_empty(states.shape) if bias is not None else torch.empty_like(states[:1])
    each_inner, nothing = d_inner.unbind(0), torch.zeros_like(states[:1])
    for block in reversed(blocks(gates, backwards)):
        now = block.steps
        # All factors that do not depend on later steps, for a block of steps at once.
        before = nothing if block.before is None else states[block.before]
        gated(before - new[now], z[now], d_z[now])
        gated(before if bias is None else kept[1][now], r[now], d_r[now])
        act(1.0 - z[now], new[now], d_new[now])
        stay = z[now]
        if mask is not None:
            grads[now].mul_(mask[now])
            stay = torch.where(mask[now], stay, 1.0)
        each_stay = stay.unbind(0)
        for t in reversed(block.order):
            if each_grad is not None:
                d_state.add_(each_grad[t])
            each_new[t].mul_(d_state)
            each_z[t].mul_(d_state)
            d_state.mul_(each_stay[t - now.start])
            if bias is None:
                for_new.backward(each_new[t], each_inner[0], keep=False)
                each_r[t].mul_(each_inner[0])
                d_state.addcmul_(each_inner[0], reset[t])
            else:
                each_r[t].mul_(each_new[t])
                torch.mul(each_new[t], reset[t], out=each_inner[t])
                for_new.backward(each_inner[t], d_state, keep=True)
            for_gates.backward(each_both[t], d_state, keep=True)
    later, earlier = later_and_before(len(gates), backwards)
    d_gates = for_gates.weight_gradient(states[earlier], grads[later, ..., : 2 * units])
    if bias is None:
        d_weight = for_new.weight_gradient(r[later] * states[earlier], d_new[later])
        return grads, torch.cat([d_gates, d_weight], -1), None
    d_weight = for_new.weight_gradient(states[earlier], d_inner[later])
    return grads, torch.cat([d_gates, d_weight], -1), d_inner.sum((0, -2)).unsqueeze(-2)
