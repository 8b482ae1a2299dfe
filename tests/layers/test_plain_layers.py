"""Layers that change shapes or numbers one by one, against Keras's figures and formulas by hand."""

from __future__ import annotations

import importlib
import math

import pytest
import torch

from dlrun.contracts import Masked
from dlrun.errors import ConfigError
from dlrun.layers._making import make as made
from dlrun.layers._spec import TensorSpec

MASKED = TensorSpec((4, 5), masked=True)


def make(name, inputs, **arguments):
    inputs = inputs if isinstance(inputs, TensorSpec) else TensorSpec(inputs)
    return importlib.import_module(f"dlrun.layers.{name}").build(inputs, **arguments)


def ramp(*shape):
    return (torch.arange(math.prod(shape), dtype=torch.float64) * 0.37 - 1).sin().mul(2).view(shape)


# Shapes


def test_reshape_keeps_the_order():
    x = ramp(2, 3, 4)
    assert torch.equal(make("reshape", (3, 4), target_shape=[2, 6])(x), x.reshape(2, 2, 6))
    assert torch.equal(make("reshape", (3, 4), target_shape=[-1])(x), x.reshape(2, 12))
    assert make("reshape", (3, 4), target_shape=[-1, 2])(ramp(2, 5, 4)).shape == (2, 10, 2)  # another length


def test_permute_counts_from_1():
    x = ramp(2, 3, 4, 5)
    assert torch.equal(make("permute", (3, 4, 5), dims=[3, 1, 2])(x), x.permute(0, 3, 1, 2))


def test_repeat_vector():
    x = ramp(2, 5)
    y = make("repeat_vector", (5,), n=3)(x)
    assert y.shape == (2, 3, 5)
    assert all(torch.equal(y[:, t], x) for t in range(3))


def test_identity_takes_tokens_too():
    tokens = TensorSpec((4,), "tokens", 9)
    layer, x = make("identity", tokens), torch.randint(9, (2, 4))
    assert layer.output == tokens
    assert layer(x) is x


@pytest.mark.parametrize(
    ("name", "inputs", "arguments", "said"),
    [
        ("reshape", (3, 4), {"target_shape": [5, 2]}, r"can't give \(3, 4\), 12 numbers, the shape \[5, 2\]"),
        ("reshape", (3, 4), {"target_shape": [5, -1]}, r"can't give \(3, 4\), 12 numbers, the shape \[5, -1\]"),
        ("reshape", (3, 4), {"target_shape": [6]}, r"the shape \[6\]"),
        ("reshape", (3, 4), {"target_shape": []}, r"the shape \[\]"),
        ("reshape", (3, 4), {"target_shape": [-1, -1]}, "at most one -1"),
        ("permute", (3, 4), {"dims": [2, 2]}, r"each axis of \(3, 4\) once, received dims \[2, 2\]"),
        ("permute", (3, 4), {"dims": [1]}, r"received dims \[1\]"),
        ("permute", (3, 4), {"dims": [2, 3]}, r"received dims \[2, 3\]"),
        ("repeat_vector", (3, 4), {"n": 2}, r"repeat_vector expects \(channels\), received \(3, 4\)"),
        ("softmax", (3, 4), {"axis": 0}, "has no axis 0"),
        ("softmax", MASKED, {"axis": 1}, "can't read a masked sequence"),
        ("softmax", TensorSpec((4,), masked=True), {}, "can't read a masked sequence"),
        ("layer_normalization", (3, 4), {"axis": [1, -2]}, r"different axes, at least one, received \[1, -2\]"),
        ("layer_normalization", (3, 4), {"axis": []}, r"received \[\]"),
        ("layer_normalization", (3, 4), {"axis": 3}, "has no axis 3"),
        ("layer_normalization", MASKED, {"axis": [1, 2]}, "can't read a masked sequence"),
        ("prelu", (3, 4), {"shared_axes": [3]}, "has no axis 3"),
        ("relu", (3,), {"max_value": 1.0, "threshold": 2.0}, "max_value >= threshold, received 1.0 and 2.0"),
        ("permute", MASKED, {"dims": [2, 1]}, "can't read a masked sequence"),
        ("rescaling", TensorSpec((4,), "tokens", 9), {"scale": 2.0}, "can't read tokens"),
    ],
)
def test_errors(name, inputs, arguments, said):
    with pytest.raises(ConfigError, match=said) as error:
        make(name, inputs, **arguments)
    assert all(p.path == "architecture" and p.hint for p in error.value.problems)


# Numbers

X = [-3.0, -1.0, -0.5, 0.0, 0.2, 0.3, 0.5, 1.0, 3.0, 7.0]
# From Keras 3.15 on jax, for X
FROM_KERAS = [
    ("relu", {}, [0, 0, 0, 0, 0.2, 0.3, 0.5, 1, 3, 7]),
    ("relu", {"max_value": 6.0}, [0, 0, 0, 0, 0.2, 0.3, 0.5, 1, 3, 6]),
    ("relu", {"negative_slope": 0.2}, [-0.6, -0.2, -0.1, 0, 0.2, 0.3, 0.5, 1, 3, 7]),
    ("relu", {"threshold": 0.3}, [0, 0, 0, 0, 0, 0, 0.5, 1, 3, 7]),
    (
        "relu",
        {"max_value": 2.0, "negative_slope": 0.1, "threshold": 0.3},
        [-0.33, -0.13, -0.08, -0.03, -0.01, 0, 0.5, 1, 2, 2],
    ),
    ("elu", {"alpha": 0.5}, [-0.47510648, -0.31606027, -0.19673467, 0, 0.2, 0.3, 0.5, 1, 3, 7]),
    ("leaky_relu", {}, [-0.9, -0.3, -0.15, 0, 0.2, 0.3, 0.5, 1, 3, 7]),
    ("thresholded_relu", {}, [0, 0, 0, 0, 0, 0, 0, 0, 3, 7]),
    ("thresholded_relu", {"theta": 0.3}, [0, 0, 0, 0, 0, 0, 0.5, 1, 3, 7]),
    ("rescaling", {"scale": 2.0, "offset": -1.0}, [2 * x - 1 for x in X]),
    ("rescaling", {"scale": 0.5}, [x / 2 for x in X]),
]


@pytest.mark.parametrize(("name", "arguments", "expected"), FROM_KERAS)
def test_keras_figures(name, arguments, expected):
    x = torch.tensor([X], dtype=torch.float64)
    layer = make(name, (10,), **arguments)
    assert layer(x).tolist()[0] == pytest.approx(expected, abs=1e-7)
    assert x.tolist()[0] == X  # left as it was
    assert not layer.state_dict()


def test_prelu_has_one_slope_per_number_or_per_channel():
    assert make("prelu", (3, 4, 5)).alpha.shape == (3, 4, 5)
    layer = make("prelu", (3, 4, 5), shared_axes=[1, 2]).double()
    assert layer.alpha.shape == (1, 1, 5)
    assert layer.alpha.count_nonzero() == 0
    layer.alpha.data = torch.arange(5.0, dtype=torch.float64).view(1, 1, 5) / 10
    x = ramp(2, 6, 6, 5)  # another size: no weight is bound to it
    torch.testing.assert_close(layer(x), x.clamp(min=0) + layer.alpha * x.clamp(max=0))


def test_softmax_sums_to_1_along_its_axis():
    x = ramp(2, 3, 4)
    for axis in (1, 2, -1, -2):
        y = make("softmax", (3, 4), axis=axis)(x)
        torch.testing.assert_close(y.sum(axis), torch.ones_like(y.sum(axis)))
        torch.testing.assert_close(y, x.exp() / x.exp().sum(axis, keepdim=True))


# shape with the batch, arguments; weights, weighed sum and first numbers from Keras 3.15 on jax
LAYER_NORMALIZATION = [
    ((2, 5), {}, 10, -3.6572521, [-1.3189125, -0.7806192]),
    ((2, 3, 4), {"axis": 1}, 6, -5.2427252, [-1.3679117, -1.4135606]),
    ((2, 2, 3, 4), {"axis": [1, 3]}, 16, -4.8430805, [-0.8596810, -0.1340970]),
]


@pytest.mark.parametrize(("shape", "arguments", "weights", "total", "first"), LAYER_NORMALIZATION)
def test_layer_normalization_has_keras_figures(shape, arguments, weights, total, first):
    layer = make("layer_normalization", shape[1:], **arguments).double()
    y = layer(ramp(*shape)).detach()
    assert sum(p.numel() for p in layer.parameters()) == weights
    assert y.flatten()[:2].tolist() == pytest.approx(first, abs=1e-6)
    cosines = (torch.arange(y.numel(), dtype=torch.float64) * 0.7).cos().view(shape)
    assert float((y * cosines).sum()) == pytest.approx(total, abs=1e-5)


def test_layer_normalization_scales_along_its_own_axes():
    layer = make("layer_normalization", (2, 3, 4), axis=[3, 1]).double()
    layer.gamma.data, layer.beta.data = ramp(2, 4), ramp(2, 4) + 1
    x = ramp(5, 2, 3, 4)
    mean, variance = x.mean((1, 3), keepdim=True), x.var((1, 3), unbiased=False, keepdim=True)
    gamma, beta = layer.gamma.view(1, 2, 1, 4), layer.beta.view(1, 2, 1, 4)
    torch.testing.assert_close(layer(x), (x - mean) / (variance + 1e-3).sqrt() * gamma + beta)


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "elu", "prelu", "softmax", "layer_normalization"])
def test_masks_are_handed_on(name):
    layer = make(name, MASKED)
    values, mask = torch.randn(2, 4, 5), torch.tensor([[True, True, False, False], [True] * 4])
    given = layer(Masked(values, mask))
    assert layer.output == MASKED
    assert isinstance(given, Masked)
    assert given.mask is mask
    assert torch.equal(given.values, layer(values))


@pytest.mark.parametrize(
    ("described", "said"),
    [
        ({"name": "reshape", "target_shape": [0, 4]}, "target_shape"),
        ({"name": "repeat_vector", "n": 0}, "greater than or equal to 1"),
        ({"name": "gaussian_dropout", "rate": 1.0}, "less than 1"),
        ({"name": "gaussian_noise", "stddev": -0.1}, "greater than or equal to 0"),
        ({"name": "batch_normalization", "epsilon": 0}, "greater than 0"),
        ({"name": "relu", "max_value": "six"}, "max_value"),
        ({"name": "prelu", "shared_axes": [-1]}, "shared_axes"),
    ],
)
def test_arguments_of_yaml_are_checked(described, said):
    with pytest.raises(ConfigError, match=said):
        made(TensorSpec((4, 5)), described, "layers.3")


def test_arguments_of_yaml_are_taken():
    assert made(TensorSpec((4, 5)), {"name": "reshape", "target_shape": [-1, 2]}, "layers.3").output.shape == (10, 2)
    assert made(TensorSpec((5,)), {"name": "relu", "max_value": 6}, "layers.3").max_value == 6
    assert made(TensorSpec((4, 5)), {"name": "layer_normalization", "axis": [1, 2]}, "layers.3").gamma.shape == (4, 5)
    given = [TensorSpec((4, 5)), TensorSpec((5, 3))]
    assert made(given, {"name": "dot", "axes": [2, 1]}, "layers.3").output.shape == (4, 3)
