"""Optimizers as functions of tensors: torch's updates, and K models with numbers of their own."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from test_optimizers import CASES, STACKABLE, build

from dlrun.contracts import OptimizerSpec, Rule
from dlrun.optimizers._rule import RuleOptimizer, advance, combined, table

STEPS = 20
SHAPES = [(7, 5), (5,), (1,), ()]
CLOSE = {"rtol": 1e-12, "atol": 1e-12}
KINDS = {
    "momentum": ("sgd", {"lr": [0.1, 0.03, 0.2], "momentum": [0.9, 0.5, 0.1]}),
    "nesterov": ("sgd", {"lr": [0.1, 0.03, 0.2], "momentum": [0.9, 0.5, 0.1], "nesterov": [True] * 3}),
    "one momentum": ("sgd", {"lr": [0.1, 0.03, 0.2], "momentum": [0.9] * 3}),
    "sgd": ("sgd", {"lr": [0.1, 0.03, 0.2]}),
    "rmsprop": ("rmsprop", {"lr": [0.01, 0.03, 0.001], "rho": [0.9, 0.5, 0.99], "epsilon": [1e-8, 1e-3, 0.1]}),
    "centered rmsprop": ("rmsprop", {"rho": [0.9, 0.5, 0.99], "momentum": [0.1, 0.2, 0.9], "centered": [True] * 3}),
    "adam": ("adam", {"beta_1": [0.9, 0.5, 0.0], "beta_2": [0.999, 0.9, 0.5], "epsilon": [1e-8, 1e-3, 0.1]}),
    "adamw": ("adamw", {"lr": [0.01, 0.03, 0.001], "weight_decay": [0.0, 0.5, 0.004]}),
    "adagrad": ("adagrad", {"lr": [0.1, 0.03, 0.01], "epsilon": [1e-8, 1e-3, 0.1]}),
}


def specs_of(kind: str) -> list[OptimizerSpec]:
    """Three of a kind with numbers of their own."""
    name, numbers = KINDS[kind]
    return [build(name, **{key: values[k] for key, values in numbers.items()}) for k in range(3)]


def gradients(shape: tuple[int, ...], dtype: torch.dtype = torch.float64) -> list[torch.Tensor]:
    """Of STEPS updates, always the same."""
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype) for _ in range(STEPS)]


def factors(rule: Rule) -> torch.Tensor:
    """Of STEPS updates with a common rate, [STEPS, F]."""
    return torch.from_numpy(table(rule, np.full((STEPS, 1), rule.numbers["lr"]), 1))


def stepped(optimizer: torch.optim.Optimizer, weight: torch.nn.Parameter, gradient: torch.Tensor) -> None:
    """One update of torch's; the optimizer must make do with a copy of the gradient."""
    weight.grad = gradient.clone()
    optimizer.step(lambda: torch.zeros(()))


def start(shape: tuple[int, ...], dtype: torch.dtype = torch.float64) -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.linspace(-1, 1, torch.Size(shape).numel(), dtype=dtype).reshape(shape))


def test_every_rule_is_tried_with_numbers_of_their_own():
    assert {name for name, _ in KINDS.values()} == set(STACKABLE)
    assert all(build(name).rule is not None for name in STACKABLE)
    assert build("lbfgs").rule is None


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("name", "arguments"), CASES, ids=str)
def test_rule_is_the_optimizer(name, arguments, shape):
    spec = build(name, **arguments)
    weight = start(shape)
    optimizer = spec.make([weight])
    ours, state = weight.detach().clone(), spec.rule.initial(weight.detach())
    for gradient, row in zip(gradients(shape), factors(spec.rule), strict=True):
        stepped(optimizer, weight, gradient)
        ours, state = advance(spec.rule, ours, gradient, state, row)
        torch.testing.assert_close(ours, weight.detach(), **CLOSE)
    _, moved = spec.rule.update(ours, gradient, state, spec.rule.factors(spec.rule.numbers, 1))
    for key in (*moved, *["step"] * spec.rule.counts):  # what a rule leaves alone, it does not need
        torch.testing.assert_close(state[key], optimizer.state[weight][key], **CLOSE)


@pytest.mark.parametrize(("name", "arguments"), CASES, ids=str)
def test_initial_state_is_that_of_torch_in_names_shapes_and_types(name, arguments):
    """Torch makes it at the first update; what is saved by one is read by the other."""
    for dtype in (torch.float32, torch.float64):
        spec, weight = build(name, **arguments), start((7, 5), dtype)
        optimizer = spec.make([weight])
        stepped(optimizer, weight, gradients((7, 5), dtype)[0])

        def form(state):
            return {n: (t.shape, t.dtype) for n, t in state.items()}

        assert form(spec.rule.initial(weight.detach())) == form(optimizer.state[weight])


@pytest.mark.parametrize(("name", "arguments"), CASES, ids=str)
def test_rule_and_optimizer_take_turns(name, arguments):
    """A compiled training does its last, shorter batch by the optimizer, with one state for both."""
    spec, shape = build(name, **arguments), (7, 5)
    alone, mixed = start(shape), start(shape)
    torch_only, by_turns = spec.make([alone]), spec.make([mixed])
    state = by_turns.state[mixed] = spec.rule.initial(mixed.detach())
    for t, (gradient, row) in enumerate(zip(gradients(shape), factors(spec.rule), strict=True)):
        stepped(torch_only, alone, gradient)
        if t % 3 == 2:
            stepped(by_turns, mixed, gradient)
            continue
        new, changed = advance(spec.rule, mixed.detach(), gradient, state, row)
        mixed.data.copy_(new)
        for key, value in state.items():
            value.copy_(changed[key])
    torch.testing.assert_close(mixed, alone, **CLOSE)


@pytest.mark.parametrize(("name", "arguments"), CASES, ids=str)
def test_rule_changes_nothing_in_place(name, arguments):
    rule = build(name, **arguments).rule
    weight, gradient = start((7, 5)).detach(), gradients((7, 5))[0]
    state = rule.initial(weight)
    before = copy.deepcopy((weight, gradient, state))
    new, changed = advance(rule, weight, gradient, state, factors(rule)[0])
    assert not torch.equal(new, weight)
    assert changed.keys() == state.keys()
    assert all(torch.equal(a, b) for a, b in zip(before[:2], (weight, gradient), strict=True))
    assert all(torch.equal(before[2][name], state[name]) for name in state)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("kind", KINDS)
def test_models_with_numbers_of_their_own(kind, dtype):
    """One optimizer for all is one for each, also where rates change on the way."""
    specs = specs_of(kind)
    stacked = [torch.nn.Parameter(torch.stack([start(s, dtype).detach()] * 3)) for s in SHAPES]
    alone = [[start(s, dtype) for s in SHAPES] for _ in specs]
    spec = combined(specs, apart=False)
    together, separate = spec.make(iter(stacked)), [s.make(iter(w)) for s, w in zip(specs, alone, strict=True)]
    changes = np.array([0.1, 1.0, 2.0])
    steps = zip(*[gradients((3, *shape), dtype) for shape in SHAPES], strict=True)
    for t, given in enumerate(steps):
        if t == STEPS // 2:
            assert isinstance(together, RuleOptimizer)
            together.param_groups[0]["lr"] = together.param_groups[0]["lr"] * changes
            for optimizer, change in zip(separate, changes, strict=True):
                optimizer.param_groups[0]["lr"] *= float(change)
        for weight, gradient in zip(stacked, given, strict=True):
            weight.grad = gradient.clone()
        for k, weights in enumerate(alone):
            for weight, gradient in zip(weights, given, strict=True):
                weight.grad = gradient[k].clone()
        together.step(lambda: torch.zeros(()))
        for optimizer in separate:
            optimizer.step(lambda: torch.zeros(()))
    close = CLOSE if dtype == torch.float64 else {"rtol": 1e-5, "atol": 1e-6}
    for k, weights in enumerate(alone):
        for weight, own in zip(stacked, weights, strict=True):
            assert weight.dtype == dtype
            torch.testing.assert_close(weight[k].detach(), own.detach(), **close)


@pytest.mark.parametrize(("name", "arguments"), CASES, ids=str)
def test_equal_numbers_need_no_optimizer_of_ours(name, arguments):
    specs = [build(name, **arguments) for _ in range(3)]
    assert combined(specs, apart=False) is specs[0]


@pytest.mark.parametrize(("name", "arguments"), CASES, ids=str)
def test_rates_that_may_part_start_as_one(name, arguments):
    specs = [build(name, **arguments) for _ in range(3)]
    spec = combined(specs, apart=True)
    assert spec.rule.numbers["lr"].tolist() == [specs[0].rule.numbers["lr"]] * 3
    assert {n: v for n, v in spec.rule.numbers.items() if n != "lr"} == {
        n: v for n, v in specs[0].rule.numbers.items() if n != "lr"
    }
    apart, plain = start((3, 7, 5)), start((3, 7, 5))
    by_rule, usual = spec.make([apart]), specs[0].make([plain])
    for gradient in gradients((3, 7, 5)):
        stepped(by_rule, apart, gradient)
        stepped(usual, plain, gradient)
    torch.testing.assert_close(apart, plain, **CLOSE)


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_that_all_models_share_stay_plain(kind):
    """Only rates, and what differs, become tensors of one number for each model."""
    specs = specs_of(kind)
    for name, value in combined(specs, apart=False).rule.numbers.items():
        own = [s.rule.numbers[name] for s in specs]
        if name == "lr" or len(set(own)) > 1:
            assert value.tolist() == own
        else:
            assert value == own[0]


@pytest.mark.parametrize("kind", KINDS)
def test_factors_of_models_are_those_of_each(kind):
    """A row for each update, from whichever it begins."""
    specs = specs_of(kind)
    rates = np.random.default_rng(0).uniform(0.001, 0.1, (STEPS, 3))
    together = table(combined(specs, apart=False).rule, rates, 1)
    assert together.shape == (STEPS, len(specs[0].rule.factors(specs[0].rule.numbers, 1)), 3)
    for k, spec in enumerate(specs):
        alone = table(spec.rule, rates[:, [k]], 1)
        np.testing.assert_allclose(together[:, :, k], alone, rtol=1e-15)
        np.testing.assert_array_equal(table(spec.rule, rates[7:, [k]], 8), alone[7:])


def test_weights_in_any_order_of_memory():
    """Where all models read the same rows, a weight [K, V, U] lies in memory as [V, K, U]."""
    spec = combined(specs_of("adam"), apart=False)
    plain = start((3, 7, 5))
    aside = torch.nn.Parameter(plain.detach().movedim(0, 1).contiguous().movedim(1, 0))
    assert aside.stride() != plain.stride()
    one, other = spec.make([plain]), spec.make([aside])
    for gradient in gradients((3, 7, 5)):
        stepped(one, plain, gradient)
        stepped(other, aside, gradient)
    torch.testing.assert_close(aside, plain, **CLOSE)


@pytest.mark.parametrize("kind", KINDS)
def test_a_weight_without_a_gradient_stays(kind):
    """As with torch's optimizers: no output depends on it, and it does not even decay."""
    specs = specs_of(kind)
    used, unused = start((3, 5)), start((3, 5))
    optimizer = combined(specs, apart=False).make([used, unused])
    for gradient in gradients((3, 5)):
        stepped(optimizer, used, gradient)
    assert not torch.equal(used, start((3, 5)))
    assert torch.equal(unused, start((3, 5)))
