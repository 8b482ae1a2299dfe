"""Update rules against formulas written by hand, and K models as one against each alone."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest
import torch

import dlrun.optimizers
from dlrun.contracts import OptimizerSpec

NAMES = sorted(f.stem for f in Path(dlrun.optimizers.__path__[0]).glob("[!_]*.py"))
STEPS = 20


def build(name: str, **arguments) -> OptimizerSpec:
    return importlib.import_module(f"dlrun.optimizers.{name}").build(**arguments)


def sgd(w, s, g, t, lr=0.01, momentum=0.0, nesterov=False):
    """Keras: the velocity contains the learning rate."""
    s["v"] = momentum * s.get("v", 0.0) - lr * g
    return w + (momentum * s["v"] - lr * g if nesterov else s["v"])


def rmsprop(w, s, g, t, lr=0.001, rho=0.9, epsilon=1e-8, momentum=0.0, centered=False):
    s["a"] = rho * s.get("a", 0.0) + (1 - rho) * g**2
    s["m"] = rho * s.get("m", 0.0) + (1 - rho) * g
    root = np.sqrt(s["a"] - s["m"] ** 2 if centered else s["a"]) + epsilon
    s["v"] = momentum * s.get("v", 0.0) + lr * g / root
    return w - s["v"]


def adagrad(w, s, g, t, lr=0.01, epsilon=1e-8):
    s["a"] = s.get("a", 0.0) + g**2
    return w - lr * g / (np.sqrt(s["a"]) + epsilon)


def adam(w, s, g, t, lr=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-8):
    s["m"] = beta_1 * s.get("m", 0.0) + (1 - beta_1) * g
    s["v"] = beta_2 * s.get("v", 0.0) + (1 - beta_2) * g**2
    return w - lr * s["m"] / (1 - beta_1**t) / (np.sqrt(s["v"] / (1 - beta_2**t)) + epsilon)


def adamw(w, s, g, t, lr=0.001, weight_decay=0.004, epsilon=1e-7):
    return adam(w - lr * weight_decay * w, s, g, t, lr=lr, epsilon=epsilon)


RULES = {
    "sgd": (sgd, [{}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}, {"nesterov": True}]),
    "rmsprop": (rmsprop, [{}, {"rho": 0.7, "momentum": 0.5}, {"centered": True}, {"epsilon": 0.1}]),
    "adagrad": (adagrad, [{}, {"lr": 0.3, "epsilon": 0.1}]),
    "adam": (adam, [{}, {"lr": 0.1, "beta_1": 0.5, "beta_2": 0.9, "epsilon": 0.1}]),
    "adamw": (adamw, [{}, {"lr": 0.1, "weight_decay": 0.5}]),
}
CASES = [(name, arguments) for name, (_, cases) in RULES.items() for arguments in cases]
STACKABLE = [name for name in NAMES if build(name).unstackable is None]


def test_every_optimizer_has_a_rule():
    assert sorted(RULES) == STACKABLE
    assert set(NAMES) - set(STACKABLE) == {"lbfgs"}


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_update_is_the_formula(name, arguments):
    """Defaults count too: the formula has its own."""
    rng = np.random.default_rng(0)
    w = rng.normal(size=50)
    parameter = torch.nn.Parameter(torch.tensor(w))
    optimizer = build(name, **arguments).make([parameter])
    state: dict = {}
    for t in range(1, STEPS + 1):
        g = rng.normal(size=50)
        w = RULES[name][0](w, state, g, t, **arguments)
        parameter.grad = torch.tensor(g)
        optimizer.step()
        np.testing.assert_allclose(parameter.detach().numpy(), w, rtol=1e-10, atol=1e-12)


def test_adam_is_keras_up_to_the_place_of_epsilon():
    rng = np.random.default_rng(0)
    w = rng.normal(size=50)
    parameter = torch.nn.Parameter(torch.tensor(w))
    optimizer = build("adam").make([parameter])
    m = v = np.zeros(50)
    for t in range(1, STEPS + 1):
        g = rng.normal(size=50)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        w = w - 0.001 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t) * m / (np.sqrt(v) + 1e-8)
        parameter.grad = torch.tensor(g)
        optimizer.step()
    np.testing.assert_allclose(parameter.detach().numpy(), w, rtol=0, atol=1e-7)


def test_the_naive_momentum_loop_of_section_2_4_3():
    """velocity = momentum * past - lr * gradient; w += momentum * velocity - lr * gradient, until the loss
    is small."""
    lr, momentum = 0.1, 0.1
    w, past, steps = 3.0, 0.0, 0
    parameter = torch.nn.Parameter(torch.tensor(3.0, dtype=torch.float64))
    optimizer = build("sgd", lr=lr, momentum=momentum, nesterov=True).make([parameter])
    while w**2 > 0.01:
        gradient = 2 * w
        velocity = past * momentum - lr * gradient
        w = w + momentum * velocity - lr * gradient
        past = velocity
        optimizer.zero_grad()
        parameter.square().backward()
        optimizer.step()
        assert parameter.item() == pytest.approx(w, rel=1e-12)
        steps += 1
    assert steps > 10


SHAPES = [(7, 5), (5,), (5, 1), (1,), (33, 37), (64, 64)]


# Of the fused kernels Adam's with beta_1 = 0, which is RMSprop, rounds an element by its place in the tensor.
TO_THE_BIT = [name for name in STACKABLE if name != "rmsprop"]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("name", TO_THE_BIT)
def test_stack_equals_models_alone_to_the_bit(name, dtype):
    for together, alone in updated_together_and_alone(name, dtype):
        assert torch.equal(together, alone)


@pytest.mark.parametrize("name", STACKABLE)
def test_stack_equals_models_alone(name):
    for together, alone in updated_together_and_alone(name, torch.float64):
        torch.testing.assert_close(together, alone, rtol=1e-13, atol=1e-14)


def updated_together_and_alone(name, dtype):
    """Parameters after some steps on the same gradients: pairs of a stack's slice and the model alone."""
    torch.manual_seed(0)
    models, spec = 3, build(name, **({"momentum": 0.9, "nesterov": True} if name == "sgd" else {}))
    stacked = [torch.nn.Parameter(torch.randn(models, *shape, dtype=dtype)) for shape in SHAPES]
    alone = [[torch.nn.Parameter(p[k].detach().clone()) for p in stacked] for k in range(models)]
    together, separate = spec.make(iter(stacked)), [spec.make(iter(ps)) for ps in alone]
    for _ in range(STEPS):
        for i, p in enumerate(stacked):
            p.grad = torch.randn_like(p)
            for k in range(models):
                alone[k][i].grad = p.grad[k].clone()
        together.step()
        for optimizer in separate:
            optimizer.step()
    return [(p[k], q) for k in range(models) for p, q in zip(stacked, alone[k], strict=True)]


@pytest.mark.parametrize("name", NAMES)
def test_learns_with_a_closure_and_resumes_exactly(name):
    def start():
        p = torch.nn.Parameter(torch.linspace(-1, 1, 8, dtype=torch.float64))
        return p, build(name, lr=0.05).make([p])

    def train(p, optimizer, steps):
        def closure():
            optimizer.zero_grad()
            loss = ((p - 0.3) ** 2).sum() + (p**4).sum()
            loss.backward()
            return loss

        return [float(optimizer.step(closure).detach()) for _ in range(steps)]

    p, optimizer = start()
    losses = train(p, optimizer, 3)
    saved, weights = optimizer.state_dict(), p.detach().clone()
    saved = torch.utils._pytree.tree_map(lambda x: x.clone() if isinstance(x, torch.Tensor) else x, saved)
    losses += train(p, optimizer, 3)
    assert losses[-1] < losses[0]
    q, resumed = start()
    q.data.copy_(weights)
    resumed.load_state_dict(saved)
    train(q, resumed, 3)
    assert torch.equal(p, q)


def test_lbfgs_says_why_it_does_not_stack():
    assert "step length" in build("lbfgs").unstackable
    p = torch.nn.Parameter(torch.zeros(1))
    assert build("lbfgs", line_search=None, max_iter=3).make([p]).defaults["line_search_fn"] is None
