"""Initial weights and activation functions against Keras's formulas."""

from __future__ import annotations

import math
from typing import get_args

import pytest
import torch

from dlrun.layers._activations import ACTIVATIONS, Activation
from dlrun.layers._initializers import Initializer, fans, initial

SHAPE = (300, 200)
STD = {
    "glorot": math.sqrt(2 / 500),
    "he": math.sqrt(2 / 300),
    "lecun": math.sqrt(1 / 300),
}


@pytest.mark.parametrize("name", get_args(Initializer))
def test_initializers(name):
    torch.manual_seed(0)
    w = initial(name, SHAPE)
    assert w.shape == SHAPE
    assert w.dtype == torch.float32
    family, _, kind = name.partition("_")
    if family in STD:
        assert w.std().item() == pytest.approx(STD[family], rel=0.01)
        limit = math.sqrt(3) * STD[family] if kind == "uniform" else 2 * STD[family] / 0.87962566
        assert 0.98 * limit < w.abs().max().item() <= limit * (1 + 1e-6)
    elif name == "orthogonal":
        torch.testing.assert_close(w.T @ w, torch.eye(200), rtol=0, atol=1e-5)
    elif name == "random_uniform":
        assert 0.0499 < w.abs().max().item() <= 0.05
    elif name == "random_normal":
        assert w.std().item() == pytest.approx(0.05, rel=0.01)
        assert w.abs().max().item() > 0.15
    elif name == "truncated_normal":
        assert 0.099 < w.abs().max().item() <= 0.1
    else:
        assert w.unique().tolist() == [{"zeros": 0.0, "ones": 1.0}[name]]


def test_initializers_follow_the_seed():
    for name in get_args(Initializer):
        torch.manual_seed(5)
        first = initial(name, (7, 5))
        torch.manual_seed(5)
        assert torch.equal(first, initial(name, (7, 5)))


def test_fans_by_keras_rules():
    assert fans((10, 4)) == (10, 4)
    assert fans((3, 3, 8, 16)) == (72, 144)
    assert fans((6,)) == (6, 6)
    assert fans(()) == (1, 1)


def test_wide_orthogonal_kernels_have_orthonormal_rows():
    w = initial("orthogonal", (3, 3, 2, 40)).reshape(18, 40)
    torch.testing.assert_close(w @ w.T, torch.eye(18), rtol=0, atol=1e-5)


X = torch.linspace(-8, 8, 65, dtype=torch.float64)
ALPHA, SCALE = 1.6732632423543772, 1.0507009873554805
FORMULAS = {
    "linear": lambda x: x,
    "relu": lambda x: max(x, 0.0),
    "relu6": lambda x: min(max(x, 0.0), 6.0),
    "tanh": math.tanh,
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "elu": lambda x: x if x > 0 else math.exp(x) - 1,
    "selu": lambda x: SCALE * (x if x > 0 else ALPHA * (math.exp(x) - 1)),
    "softplus": lambda x: math.log(1 + math.exp(x)),
    "softsign": lambda x: x / (1 + abs(x)),
    "hard_sigmoid": lambda x: min(max(0.2 * x + 0.5, 0.0), 1.0),
    "gelu": lambda x: 0.5 * x * (1 + math.erf(x / math.sqrt(2))),
    "swish": lambda x: x / (1 + math.exp(-x)),
    "leaky_relu": lambda x: x if x > 0 else 0.3 * x,
    "exponential": math.exp,
}


@pytest.mark.parametrize("name", get_args(Activation))
def test_activations(name):
    if name == "softmax":
        by_hand = X.exp() / X.exp().sum()
    else:
        by_hand = torch.tensor([FORMULAS[name](x) for x in X.tolist()], dtype=torch.float64)
    torch.testing.assert_close(ACTIVATIONS[name](X), by_hand, rtol=1e-12, atol=1e-12)
    rows = torch.randn(2, 3, 4)
    assert ACTIVATIONS[name](rows).shape == rows.shape


def test_every_activation_has_a_function():
    assert set(ACTIVATIONS) == set(get_args(Activation))
