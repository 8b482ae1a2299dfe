"""Recurrent layers: against a plain loop under torch's own derivatives, torch's fused layers, and Keras's figures."""

from __future__ import annotations

import copy
import functools
import itertools
import math
from typing import get_args

import pytest
import torch
from torch.func import functional_call, stack_module_state

from dlrun.compiler import trace
from dlrun.contracts import Masked
from dlrun.errors import ConfigError
from dlrun.layers import _recurrent_operators, bidirectional, gru, lstm, simple_rnn, time_distributed
from dlrun.layers._activations import ACTIVATIONS
from dlrun.layers._cell_activations import FUNCTIONS, CellActivation
from dlrun.layers._recurrent import Cell, recurrent
from dlrun.layers._spec import TensorSpec

FILES = {"simple_rnn": simple_rnn, "lstm": lstm, "gru": gru, "bidirectional": bidirectional}
PARTS = {"simple_rnn": 1, "lstm": 4, "gru": 3}
T, B, C, U = 5, 4, 3, 2
STEPS = TensorSpec((T, C))


def plain(cell, pre, weight, bias, mask, masks):
    """The cell step by step, as the book's equations have it; gates of the LSTM in the order i, f, o, c."""
    act, gate = (ACTIVATIONS[n] if n != "ramp" else lambda x: x.clamp(0, 1) for n in (cell.activation, cell.gate))
    units = weight.shape[0]
    weights = weight.split(units, -1)
    dropped = [1.0] * len(weights) if masks is None else masks.split(units, -1)
    state = carry = pre.new_zeros(pre.shape[1], units)
    states = [state] * len(pre)
    for t in sorted(range(len(pre)), reverse=cell.backwards):
        x = pre[t].split(units, -1)
        product = [(state * m) @ w for m, w in zip(dropped, weights, strict=True)]
        new_carry = carry
        if cell.kind == "lstm":
            i, f, o = (gate(a + b) for a, b in zip(x[:3], product[:3], strict=True))
            new_carry = f * carry + i * act(x[3] + product[3])
            new = o * act(new_carry)
        elif cell.kind == "gru":
            z, r = gate(x[0] + product[0]), gate(x[1] + product[1])
            inner = (r * state * dropped[2]) @ weights[2] if bias is None else r * (product[2] + bias)
            new = z * state + (1 - z) * act(x[2] + inner)
        else:
            new = act(x[0] + product[0])
        if mask is not None:
            new, new_carry = torch.where(mask[t], new, state), torch.where(mask[t], new_carry, carry)
        state, carry = new, new_carry
        states[t] = state
    return state if cell.last else torch.stack(states)


def drawn(kind, reset_after, masked, dropped, scale=1.0):
    """pre, weight, bias, mask and masks of a cell, as `recurrent` takes them."""
    width = PARTS[kind] * U
    return (
        (scale * torch.randn(T, B, width, dtype=torch.float64)).requires_grad_(),
        (0.7 * scale * torch.randn(U, width, dtype=torch.float64)).requires_grad_(),
        torch.randn(1, U, dtype=torch.float64, requires_grad=True) if reset_after else None,
        torch.rand(T, B, 1) > 0.4 if masked else None,
        (torch.rand(B, width) > 0.4) / 0.6 if dropped else None,
    )


def check(cell, tensors):
    """Against the plain loop: values and gradients to 1e-10."""
    leaves = [t for t in tensors[:3] if t is not None]
    wanted = plain(cell, *tensors)
    factors = torch.randn_like(wanted)
    wanted = [wanted, *torch.autograd.grad((wanted * factors).sum(), leaves)]
    got = recurrent(cell, tensors[0].clone(), *tensors[1:])
    got = [got, *torch.autograd.grad((got * factors).sum(), leaves)]
    torch.testing.assert_close(got, wanted, rtol=1e-10, atol=1e-10)


VARIANTS = [("simple_rnn", False), ("lstm", False), ("gru", False), ("gru", True)]
each_variant = pytest.mark.parametrize(("kind", "reset_after"), VARIANTS)
switches = [False, True]


@each_variant
def test_values_and_gradients_are_those_of_a_plain_loop(kind, reset_after):
    torch.manual_seed(0)
    for masked, dropped, backwards, last in itertools.product(switches, repeat=4):
        check(Cell(kind, "tanh", "ramp", backwards, last), drawn(kind, reset_after, masked, dropped))


@pytest.mark.parametrize("activation", get_args(CellActivation))
@each_variant
def test_all_activations(kind, reset_after, activation):
    torch.manual_seed(1)
    check(Cell(kind, activation, "sigmoid", False, False), drawn(kind, reset_after, True, False, 0.3))
    if kind != "simple_rnn":
        check(Cell(kind, "tanh", activation, True, True), drawn(kind, reset_after, False, True, 0.3))


@pytest.mark.parametrize("activation", get_args(CellActivation))
def test_functions_are_keras(activation):
    x = torch.linspace(-4, 4, 41, dtype=torch.float64, requires_grad=True)
    y = ACTIVATIONS[activation](x)
    out = torch.empty_like(x)
    FUNCTIONS[activation].apply(x.detach(), out)
    torch.testing.assert_close(out, y.detach(), rtol=1e-14, atol=1e-14)


def test_blocks_of_many_steps():
    """More steps than a block holds, and only one."""
    torch.manual_seed(2)
    for steps, rows in [(40, 2100), (1, 3)]:
        pre = torch.randn(steps, rows, 4 * U, dtype=torch.float64, requires_grad=True)
        weight = torch.randn(U, 4 * U, dtype=torch.float64, requires_grad=True)
        for backwards in switches:
            check(Cell("lstm", "tanh", "ramp", backwards, True), (pre, weight, None, None, None))


# What Keras 3 says of layers with weights and inputs from `waves`, its hard sigmoid replaced by that of Keras 2.
KERAS = [
    (
        "simple_rnn",
        {"return_sequences": True},
        False,
        [
            0.82062405,
            -0.00397013,
            0.98242396,
            0.81907678,
            0.17408872,
            -0.53985095,
            -0.89896750,
            -0.86140847,
            -0.02044084,
            -0.70735037,
            0.96500450,
            0.82244658,
            0.88145077,
            0.20746846,
            -0.66941369,
            -0.80191022,
        ],
    ),
    ("lstm", {}, False, [0.101017505, -0.017254878, 0.103258647, -0.10647737]),
    ("gru", {}, False, [-0.442481998, 0.41240199, -0.375175218, 0.055292363]),
    (
        "gru",
        {"reset_after": True, "recurrent_activation": "sigmoid", "activation": "relu"},
        False,
        [0.039542116, 0.319867467, 0.027579058, 0.106184706],
    ),
    ("gru", {"go_backwards": True}, True, [-0.241205199, -0.271240656, 0.123049589, 0.530781738]),
    (
        "lstm",
        {"return_sequences": True},
        True,
        [
            0.0,
            0.0,
            -0.131658155,
            -0.262995727,
            -0.143637786,
            -0.025950428,
            -0.143637786,
            -0.025950428,
            -0.020359918,
            0.089713708,
            -0.020359918,
            0.089713708,
            -0.217391248,
            -0.184382266,
            0.090706073,
            -0.06291375,
        ],
    ),
    (
        "lstm",
        {"return_sequences": True, "go_backwards": True, "recurrent_activation": "sigmoid"},
        False,
        [
            0.071231115,
            0.0591867,
            -0.17549776,
            0.118113883,
            -0.132598632,
            -0.224149436,
            -0.209756981,
            -0.260234789,
            0.022393982,
            0.077956551,
            -0.21609717,
            -0.216408045,
            -0.132789493,
            -0.226739133,
            -0.137531592,
            -0.129496749,
        ],
    ),
    (
        "bidirectional",
        {"layer": {"name": "gru", "units": 2, "return_sequences": True}},
        False,
        [
            0.261028258,
            0.280339939,
            0.135358125,
            0.101852544,
            0.025463245,
            -0.01296323,
            0.517533496,
            0.508900419,
            -0.253392807,
            -0.20328279,
            0.801863564,
            0.309563087,
            -0.442481998,
            0.41240199,
            0.42792098,
            -0.106150179,
            0.19203058,
            0.509692014,
            0.092514087,
            -0.005982732,
            0.204899839,
            0.227835289,
            0.244791265,
            0.303526571,
            -0.085634185,
            -0.094315674,
            0.737158268,
            0.491528757,
            -0.375175218,
            0.055292363,
            0.573272545,
            0.058193342,
        ],
    ),
    (
        "bidirectional",
        {"layer": {"name": "lstm", "units": 2}, "merge_mode": "mul"},
        False,
        [0.017409567, -0.000749276, 0.011775798, 0.002947033],
    ),
]


def waves(shape, k):
    count = math.prod(shape)
    return (0.8 * torch.sin(torch.arange(count, dtype=torch.float64) * 0.7 + k)).view(shape)


@pytest.mark.parametrize(("name", "arguments", "masked", "wanted"), KERAS)
def test_outputs_are_those_of_keras(name, arguments, masked, wanted):
    units = {} if name == "bidirectional" else {"units": 2}
    layer = FILES[name].build(TensorSpec((4, 2), masked=masked), **units, **arguments).double()
    with torch.no_grad():
        for k, p in enumerate(layer.parameters(), 1):
            p.copy_(waves(p.shape, k))
    mask = torch.tensor([[False, True, True, False], [True, False, True, True]])
    x = 2 * waves((2, 4, 2), 0.3)
    out = layer(Masked(x, mask) if masked else x)
    out = out.values if isinstance(out, Masked) else out
    torch.testing.assert_close(out.flatten(), torch.tensor(wanted, dtype=torch.float64), rtol=0, atol=2e-7)


@pytest.mark.parametrize(
    ("name", "steps", "channels", "arguments", "count"),
    [
        ("lstm", 500, 32, {}, 8_320),
        ("lstm", 500, 128, {}, 20_608),
        ("gru", 240, 14, {}, 4_512),
        ("gru", 240, 14, {"reset_after": True}, 4_608),
        ("simple_rnn", 500, 32, {}, 2_080),
        ("simple_rnn", 500, 32, {"use_bias": False}, 2_048),
        ("bidirectional", 500, 32, {"layer": {"name": "lstm", "units": 32}}, 16_640),
    ],
)
def test_parameter_counts_are_keras(name, steps, channels, arguments, count):
    units = {} if name == "bidirectional" else {"units": 32}
    layer = FILES[name].build(TensorSpec((steps, channels)), **units, **arguments)
    assert sum(p.numel() for p in layer.parameters()) == count


def test_initial_weights():
    torch.manual_seed(0)
    layer = lstm.build(STEPS, units=4)
    assert {name: p.shape for name, p in layer.named_parameters()} == {
        "kernel": (C, 16),
        "recurrent_kernel": (4, 16),
        "bias": (16,),
    }
    assert layer.bias.tolist() == [0.0] * 4 + [1.0] * 4 + [0.0] * 8
    torch.testing.assert_close(layer.recurrent_kernel @ layer.recurrent_kernel.t(), torch.eye(4))
    limit = math.sqrt(6 / (C + 16))
    assert limit * 0.8 < layer.kernel.abs().max() <= limit
    assert lstm.build(STEPS, units=4, unit_forget_bias=False).bias.count_nonzero() == 0


def test_penalty_is_of_the_kernel_only():
    layer = gru.build(STEPS, units=2, l1=0.1, l2=0.01, kernel_initializer="ones")
    assert layer.penalty().item() == pytest.approx((0.1 + 0.01) * C * 6)
    assert not hasattr(gru.build(STEPS, units=2), "penalty")


@pytest.mark.parametrize("backwards", switches)
@pytest.mark.parametrize("sequences", switches)
@pytest.mark.parametrize("name", ["simple_rnn", "lstm", "gru"])
def test_own_cells_are_torchs_with_equal_weights(name, sequences, backwards):
    more = {"simple_rnn": {}, "lstm": {"recurrent_activation": "sigmoid"}}.get(
        name, {"recurrent_activation": "sigmoid", "reset_after": True}
    )
    arguments = {"units": U, "return_sequences": sequences, "go_backwards": backwards, **more}
    own = FILES[name].build(STEPS, **arguments).double()
    fused = FILES[name].build(STEPS, **arguments, implementation="torch").double()
    assert fused.output == own.output
    order = [1, 0, 2] if name == "gru" else range(PARTS[name])  # torch's GRU has r before z

    def turned(w):
        return torch.cat([w.split(U, -1)[k] for k in order], -1)

    with torch.no_grad():
        fused.cell.weight_ih_l0.copy_(turned(own.kernel).t())
        fused.cell.weight_hh_l0.copy_(turned(own.recurrent_kernel).t())
        of_inputs, of_state = own.bias if name == "gru" else (own.bias, torch.zeros_like(own.bias))
        torch.nn.init.normal_(own.bias)
        fused.cell.bias_ih_l0.copy_(turned(of_inputs))
        fused.cell.bias_hh_l0.copy_(turned(of_state))
    x, other = (torch.randn(B, T, C, dtype=torch.float64, requires_grad=True) for _ in range(2))
    other.data.copy_(x)
    one, two = own(x), fused(other)
    torch.testing.assert_close(one, two, rtol=0, atol=1e-10)
    factors = torch.randn_like(one)
    (one * factors).sum().backward()
    (two * factors).sum().backward()
    torch.testing.assert_close(x.grad, other.grad, rtol=0, atol=1e-10)
    torch.testing.assert_close(own.kernel.grad, turned(fused.cell.weight_ih_l0.grad.t()), rtol=0, atol=1e-10)
    torch.testing.assert_close(own.recurrent_kernel.grad, turned(fused.cell.weight_hh_l0.grad.t()), rtol=0, atol=1e-10)


def test_torchs_layers_begin_as_keras_says():
    torch.manual_seed(0)
    own = lstm.build(STEPS, units=4, recurrent_activation="sigmoid")
    torch.manual_seed(0)
    fused = lstm.build(STEPS, units=4, recurrent_activation="sigmoid", implementation="torch")
    assert torch.equal(fused.cell.bias_ih_l0[4:8], torch.ones(4))
    assert fused.cell.bias_hh_l0.count_nonzero() == 0
    limit = math.sqrt(6 / (C + 16))
    assert fused.cell.weight_ih_l0.abs().max() <= limit
    torch.testing.assert_close(fused.cell.weight_hh_l0.t() @ fused.cell.weight_hh_l0, torch.eye(4))
    assert fused.unstackable
    assert own.output == fused.output


def test_masks_are_constant_over_time_and_each_gates_own():
    """With unit weights and a linear cell, the first steps' outputs show the masks themselves."""
    torch.manual_seed(0)
    layer = lstm.build(STEPS, units=8, dropout=0.5, recurrent_dropout=0.5)
    x = torch.ones(T, 16, C)
    on_inputs, on_state = layer._masks(x)
    assert on_inputs.shape == (16, 4, C)
    assert on_state.shape == (16, 4 * 8)
    assert set(on_inputs.unique().tolist()) == set(on_state.unique().tolist()) == {0.0, 2.0}
    gates = [*on_inputs.unbind(1), *on_state.view(16, 4, 8)[..., :C].unbind(1)]
    assert all(not torch.equal(a, b) for a, b in itertools.combinations(gates, 2))
    again = layer._masks(x)
    assert not torch.equal(again[0], on_inputs)
    assert layer.eval()._masks(x) == (None, None)


@each_variant
def test_dropout_is_that_of_its_masks(kind, reset_after):
    """Each gate's own product of the masked inputs, as the plain loop has it."""
    torch.manual_seed(3)
    more = {"reset_after": True} if reset_after else {}
    gates = {} if kind == "simple_rnn" else {"recurrent_activation": "sigmoid"}
    layer = FILES[kind].build(STEPS, units=U, dropout=0.4, recurrent_dropout=0.3, **gates, **more).double()
    torch.nn.init.normal_(layer.bias)
    x = torch.randn(B, T, C, dtype=torch.float64)
    key = layer.key.clone()
    out = layer(x)
    moved = layer.key.clone()
    layer.key.copy_(key)
    on_inputs, on_state = layer._masks(x.transpose(0, 1))
    assert torch.equal(layer.key, moved)
    order = [0, 1, 3, 2] if kind == "lstm" else range(PARTS[kind])
    kernel, weight = (torch.cat([w.split(U, -1)[k] for k in order], -1) for w in (layer.kernel, layer.recurrent_kernel))
    bias, inner = (layer.bias, None) if not reset_after else (layer.bias[0].clone(), layer.bias[1:, 2 * U :])
    if reset_after:
        bias[: 2 * U] += layer.bias[1, : 2 * U]
    bias = torch.cat([bias.split(U)[k] for k in order])
    parts = [
        (x.transpose(0, 1) * on_inputs[:, k]) @ w + b
        for k, (w, b) in enumerate(zip(kernel.split(U, -1), bias.split(U), strict=True))
    ]
    cell = Cell(kind, "tanh", "sigmoid", False, True)
    torch.testing.assert_close(
        out, plain(cell, torch.cat(parts, -1), weight, inner, None, on_state), rtol=0, atol=1e-10
    )


def test_padding_rows_change_no_mask():
    torch.manual_seed(0)
    layer = gru.build(STEPS, units=2, dropout=0.5, recurrent_dropout=0.5)
    key = layer.key.clone()
    x = torch.randn(9, T, C)
    whole = layer(x)
    layer.key.copy_(key)
    torch.testing.assert_close(layer(x[:6]), whole[:6])


def test_rates_of_a_stack_may_differ():
    torch.manual_seed(0)
    layers = [lstm.build(STEPS, units=2, dropout=rate, recurrent_dropout=0.5).double() for rate in (0.2, 0.6)]
    params, buffers = stack_module_state(layers)
    shell = copy.deepcopy(layers[0]).to("meta")
    x = torch.randn(6, T, C, dtype=torch.float64)

    def one(p, b, rate):
        shell.dropout = rate
        return functional_call(shell, (p, b), (x,))

    rates = torch.tensor([0.2, 0.6], dtype=torch.float64)
    stacked = torch.vmap(one)(params, buffers, rates)
    torch.testing.assert_close(stacked, torch.stack([layer(x) for layer in layers]))


@pytest.mark.parametrize("shared", switches)
@each_variant
def test_gradients_of_a_stack(kind, reset_after, shared):
    torch.manual_seed(4)
    more = {"reset_after": True} if reset_after else {}
    layers = [FILES[kind].build(STEPS, units=U, return_sequences=True, **more).double() for _ in range(3)]
    params, buffers = stack_module_state(layers)
    shell = copy.deepcopy(layers[0]).to("meta")
    x = torch.randn(*([] if shared else [3]), B, T, C, dtype=torch.float64)
    mask = torch.rand(B, T) > 0.3

    def one(p, b, given):
        return functional_call(shell, (p, b), (Masked(given, mask),)).values.square().sum()

    torch.vmap(one, in_dims=(0, 0, None if shared else 0))(params, buffers, x).sum().backward()
    for k, layer in enumerate(layers):
        layer(Masked(x if shared else x[k], mask)).values.square().sum().backward()
    for name, p in params.items():
        alone = torch.stack([layer.get_parameter(name).grad for layer in layers])
        torch.testing.assert_close(p.grad, alone, rtol=0, atol=1e-10)


def _squares(shell, given, params, buffers):
    return functional_call(shell, (params, buffers), (given,)).square().sum()


@pytest.mark.parametrize("stacked", switches)
@each_variant
def test_traced_is_one_operator_and_equals_eager(kind, reset_after, stacked):
    torch.manual_seed(5)
    more = {"reset_after": True} if reset_after else {}
    layers = [FILES[kind].build(STEPS, units=U, dropout=0.3, recurrent_dropout=0.3, **more) for _ in range(2)]
    params, buffers = stack_module_state(layers)
    shell = copy.deepcopy(layers[0]).to("meta")
    if not stacked:
        params, buffers = ({name: t[0] for name, t in both.items()} for both in (params, buffers))
    x, names = torch.randn(B, T, C), list(params)

    def update(given, key, *weights):
        def total(named, others):
            call = functools.partial(_squares, shell, given)
            return (torch.vmap(call) if stacked else call)(named, others).sum()

        weights = [w.detach().requires_grad_() for w in weights]
        return list(torch.autograd.grad(total(dict(zip(names, weights, strict=True)), {"key": key}), weights))

    given = [x, buffers["key"], *(p.detach() for p in params.values())]
    graph = trace(update, given)
    called = [str(n.target) for n in graph.graph.nodes if "dlrun" in str(n.target)]
    assert called == ["dlrun.recurrent.default", "dlrun.recurrent_backward.default"]
    eager = update(*(t.clone() for t in given))
    torch.testing.assert_close(graph(*(t.clone() for t in given)), eager)


def test_operators_shapes_are_known_beforehand():
    for kind, reset_after, masked in [*((k, False, m) for k in PARTS for m in switches), ("gru", True, True)]:
        pre, weight, bias, mask, masks = drawn(kind, reset_after, masked, True)
        given = (pre, weight, bias, mask, masks, kind, "tanh", "ramp", False, True)
        torch.library.opcheck(_recurrent_operators._operator, given, test_utils=("test_schema", "test_faketensor"))


def test_same_bits_on_repetition():
    torch.manual_seed(6)
    layer = lstm.build(TensorSpec((30, 16)), units=32)
    x = torch.randn(64, 30, 16, requires_grad=True)
    results = []
    for _ in range(3):
        out = layer(x)
        results.append([out, *torch.autograd.grad(out.square().sum(), [x, *layer.parameters()])])
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


def test_gradients_twice_from_one_graph():
    layer = lstm.build(STEPS, units=2)
    total = layer(torch.randn(B, T, C)).square().sum()
    first, second = (torch.autograd.grad(total, [*layer.parameters()], retain_graph=True) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_another_length_and_one_row():
    layer = lstm.build(STEPS, units=2, return_sequences=True)
    assert layer(torch.randn(1, 9, C)).shape == (1, 9, 2)


@pytest.mark.parametrize("name", ["simple_rnn", "lstm", "gru"])
def test_a_mask_of_real_steps_changes_nothing_and_one_of_none_gives_zeros(name):
    layer = FILES[name].build(TensorSpec((T, C), masked=True), units=2).double()
    x = torch.randn(B, T, C, dtype=torch.float64)
    torch.testing.assert_close(layer(Masked(x, torch.ones(B, T, dtype=torch.bool))), layer(x))
    assert layer(Masked(x, torch.zeros(B, T, dtype=torch.bool))).count_nonzero() == 0
    padded = torch.cat([torch.full_like(x, 7.0), x], 1)
    mask = torch.arange(2 * T).expand(B, -1) >= T
    torch.testing.assert_close(layer(Masked(padded, mask)), layer(x))


def test_states_read_backwards_carry_a_mask_read_backwards():
    layer = lstm.build(TensorSpec((T, C), masked=True), units=2, go_backwards=True, return_sequences=True)
    mask = torch.rand(B, T) > 0.5
    assert torch.equal(layer(Masked(torch.randn(B, T, C), mask)).mask, mask.flip(1))


@pytest.mark.parametrize("merge_mode", ["sum", "ave", "concat"])
def test_bidirectional_is_two_layers(merge_mode):
    inner = {"name": "gru", "units": 2, "return_sequences": True}
    both = bidirectional.build(STEPS, layer=inner, merge_mode=merge_mode)
    x = torch.randn(B, T, C)
    one, other = both.forward_layer(x), both.backward_layer(x).flip(1)
    assert not torch.equal(both.forward_layer.kernel, both.backward_layer.kernel)
    wanted = torch.cat([one, other], -1) if merge_mode == "concat" else one + other
    torch.testing.assert_close(both(x), wanted / 2 if merge_mode == "ave" else wanted)


def test_time_distributed_is_the_layer_on_each_step():
    layer = time_distributed.build(TensorSpec((T, 2, C)), layer={"name": "lstm", "units": 4})
    x = torch.randn(B, T, 2, C)
    torch.testing.assert_close(layer(x), torch.stack([layer.layer(x[:, t]) for t in range(T)], 1))
    tokens = time_distributed.build(
        TensorSpec((T, 2), "tokens", vocabulary=7), layer={"name": "embedding", "output_dim": 3}
    )
    assert tokens(torch.randint(7, (B, T, 2))).shape == (B, T, 2, 3)


@pytest.mark.parametrize(
    ("file", "inputs", "arguments", "message"),
    [
        (lstm, TensorSpec((5,)), {"units": 2}, r"expects \(steps, channels\), received \(5,\)"),
        (gru, TensorSpec((5,), "tokens", 9), {"units": 2}, "can't read tokens"),
        (gru, TensorSpec((0, 3)), {"units": 2}, "at least one step"),
        (lstm, STEPS, {"units": 2, "implementation": "torch"}, "recurrent_activation=sigmoid instead of hard_sigmoid"),
        (
            gru,
            TensorSpec((T, C), masked=True),
            {"units": 2, "implementation": "torch", "recurrent_dropout": 0.1, "activation": "relu"},
            "activation=tanh instead of relu, recurrent_activation=sigmoid instead of hard_sigmoid, reset_after=true "
            "instead of false, recurrent_dropout=0.0 instead of 0.1, inputs without a mask",
        ),
        (bidirectional, STEPS, {"layer": {"name": "dense", "units": 3}}, "expects a recurrent layer"),
        (bidirectional, STEPS, {"layer": {"units": 3}}, "expects a recurrent layer"),
        (bidirectional, STEPS, {"layer": {"name": "gru"}}, "architecture.*units"),
        (bidirectional, STEPS, {"layer": {"name": "gru", "units": 3, "go_backwards": True}}, "reads both ways"),
        (time_distributed, TensorSpec((5,)), {"layer": {"name": "dense", "units": 3}}, r"expects \(steps, …\)"),
        (time_distributed, STEPS, {"layer": {"name": "lstm", "units": 3}}, r"lstm expects \(steps, channels\)"),
        (time_distributed, STEPS, {"layer": {"units": 3}}, "expected a layer with a name"),
        (
            time_distributed,
            TensorSpec((T, 2), "tokens", 7),
            {"layer": {"name": "embedding", "output_dim": 3, "mask_zero": True}},
            "where it masks",
        ),
    ],
)
def test_what_does_not_fit_is_said(file, inputs, arguments, message):
    with pytest.raises(ConfigError, match=message):
        file.build(inputs, **arguments)


def test_time_distributed_applies_no_layer_of_several_inputs(monkeypatch):
    monkeypatch.setattr(time_distributed, "reads_several", lambda name: name == "dense")
    with pytest.raises(ConfigError, match="can't apply dense, which reads several inputs"):
        time_distributed.build(STEPS, layer={"name": "dense", "units": 3})
