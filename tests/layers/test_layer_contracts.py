"""What every layer promises, for every file of the folder."""

from __future__ import annotations

import copy
import importlib
from pathlib import Path

import pytest
import torch
from torch.func import functional_call, stack_module_state

import dlrun.layers
from dlrun.errors import ConfigError
from dlrun.layers._spec import TensorSpec

NAMES = sorted(f.stem for f in Path(dlrun.layers.__path__[0]).glob("[!_]*.py"))
CASES = {
    "activation": [(TensorSpec((5,)), {"activation": "softmax"}, (5,))],
    "dense": [
        (TensorSpec((5,)), {"units": 3, "activation": "tanh"}, (3,)),
        (TensorSpec((4, 5)), {"units": 3, "use_bias": False, "l1": 0.1}, (4, 3)),
    ],
    "dropout": [(TensorSpec((5,)), {"rate": 0.4}, (5,)), (TensorSpec((2, 3, 4)), {"rate": 0.0}, (2, 3, 4))],
    "normalization": [(TensorSpec((2, 3)), {}, (2, 3))],
    "flatten": [(TensorSpec((2, 3, 4)), {}, (24,)), (TensorSpec(()), {}, (1,))],
}
ALL = [(name, *case) for name in NAMES for case in CASES.get(name, [])]


def make(name, inputs, arguments):
    return importlib.import_module(f"dlrun.layers.{name}").build(inputs, **arguments)


def test_every_layer_has_a_case():
    assert sorted(CASES) == NAMES


@pytest.mark.parametrize(("name", "inputs", "arguments", "shape"), ALL)
def test_shape_and_gradient(name, inputs, arguments, shape):
    layer = make(name, inputs, arguments)
    x = torch.randn(6, *inputs.shape, requires_grad=True)
    y = layer(x)
    assert layer.output == TensorSpec(shape)
    assert y.shape == (6, *shape)
    (y.square().sum() + (layer.penalty() if hasattr(layer, "penalty") else 0.0)).backward()
    assert all(p.grad is not None for p in [x, *layer.parameters()])


@pytest.mark.parametrize(("name", "inputs", "arguments", "shape"), ALL)
def test_no_memory_on_the_meta_device(name, inputs, arguments, shape):
    with torch.device("meta"):
        layer = make(name, inputs, arguments)
    assert all(t.is_meta for t in layer.state_dict().values())


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("name", "inputs", "arguments", "shape"), ALL)
def test_stack_equals_layers_alone(name, inputs, arguments, shape, training):
    layers = [make(name, inputs, arguments).double().train(training) for _ in range(3)]
    params, buffers = stack_module_state(layers)
    shell = copy.deepcopy(layers[0]).to("meta")
    x = torch.randn(3, 6, *inputs.shape, dtype=torch.float64)
    call = torch.vmap(lambda p, b, x: functional_call(shell, (p, b), (x,)))
    for _ in range(2):  # twice: what a layer counts must move on in the stack, too
        stacked = call(params, buffers, x)
        alone = torch.stack([layer(rows) for layer, rows in zip(layers, x, strict=True)])
        torch.testing.assert_close(stacked, alone, rtol=1e-12, atol=1e-12)
    for name_, buffer in buffers.items():
        assert torch.equal(buffer, torch.stack([layer.get_buffer(name_) for layer in layers]))


@pytest.mark.parametrize("name", [name for name in NAMES if name != "dense"])
def test_multi_hot_is_refused_by_name(name):
    with pytest.raises(ConfigError, match=f"layer {name} can't read a multi-hot input"):
        make(name, TensorSpec((9,), "multi_hot"), CASES[name][0][1])
