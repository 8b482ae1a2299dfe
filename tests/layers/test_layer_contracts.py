"""What every layer promises, for every file of the folder."""

from __future__ import annotations

import copy
import importlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.func import functional_call, stack_module_state

import dlrun.layers
from dlrun.contracts import Masked
from dlrun.errors import ConfigError
from dlrun.layers._spec import TensorSpec

NAMES = sorted(f.stem for f in Path(dlrun.layers.__path__[0]).glob("[!_]*.py"))
CASES = {
    name: cases
    for path in sorted(Path(__file__).parent.glob("_cases_*.py"))
    for name, cases in importlib.import_module(path.stem).CASES.items()
}
"""Name to (inputs, arguments, shape that comes out); inputs are a list for layers that read several, and what comes
out is a `TensorSpec` where it is more than a shape."""
ALL = [(name, *case) for name in NAMES for case in CASES.get(name, [])]
each_case = pytest.mark.parametrize(("name", "inputs", "arguments", "output"), ALL)


def make(name, inputs, arguments):
    return importlib.import_module(f"dlrun.layers.{name}").build(inputs, **arguments)


def drawn(inputs, rows, dtype=torch.float32):
    """Rows of each input; models, if any, are the first of several `rows`."""
    made = []
    for one in inputs if isinstance(inputs, list) else [inputs]:
        if one.encoding == "tokens":
            made.append(torch.randint(one.vocabulary, (*rows, *one.shape)))
            continue
        values = torch.randn(*rows, *one.shape, dtype=dtype, requires_grad=True)
        kept = torch.arange(one.shape[0]) < torch.randint(1, one.shape[0] + 1, (*rows, 1)) if one.masked else None
        made.append(values if kept is None else Masked(values, kept))
    return made


def values_of(x):
    return x.values if isinstance(x, Masked) else x


def test_every_layer_has_a_case():
    assert sorted(CASES) == NAMES


@each_case
def test_shape_and_gradient(name, inputs, arguments, output):
    layer = make(name, inputs, arguments)
    given = drawn(inputs, [6])
    y = layer(*given)
    wanted = output if isinstance(output, TensorSpec) else TensorSpec(output)
    assert layer.output == wanted
    assert isinstance(y, Masked) == wanted.masked
    assert values_of(y).shape == (6, *wanted.shape)
    (values_of(y).square().sum() + (layer.penalty() if hasattr(layer, "penalty") else 0.0)).backward()
    read = [values_of(x) for x in given if values_of(x).is_floating_point()]
    assert all(p.grad is not None for p in [*read, *(p for p in layer.parameters() if p.requires_grad)])


@each_case
def test_what_it_was_made_for_is_not_used_when_it_runs(name, inputs, arguments, output):
    """A graph may call it again on inputs of other sizes."""
    layer = make(name, inputs, arguments)
    layer.output = replace(layer.output, shape=())
    assert values_of(layer(*drawn(inputs, [2]))).shape[0] == 2


@each_case
def test_no_memory_on_the_meta_device(name, inputs, arguments, output):
    with torch.device("meta"):
        layer = make(name, inputs, arguments)
    assert all(t.is_meta for t in layer.state_dict().values())


@pytest.mark.parametrize("training", [True, False])
@each_case
def test_stack_equals_layers_alone(name, inputs, arguments, output, training):
    layers = [make(name, inputs, arguments).double().train(training) for _ in range(3)]
    if reason := next((m.unstackable for m in layers[0].modules() if getattr(m, "unstackable", None)), None):
        assert isinstance(reason, str)
        return
    params, buffers = stack_module_state(layers)
    shell = copy.deepcopy(layers[0]).to("meta")
    given = drawn(inputs, [3, 6], torch.float64)
    call = torch.vmap(lambda p, b, *x: functional_call(shell, (p, b), x))
    for _ in range(2):  # twice: what a layer counts must move on in the stack, too
        stacked = values_of(call(params, buffers, *given))
        alone = [values_of(m(*([x[k] if torch.is_tensor(x) else Masked(*(t[k] for t in x)) for x in given])))
                 for k, m in enumerate(layers)]  # fmt: skip
        torch.testing.assert_close(stacked, torch.stack(alone), rtol=1e-12, atol=1e-12)
    for name_, buffer in buffers.items():
        torch.testing.assert_close(
            buffer, torch.stack([layer.get_buffer(name_) for layer in layers]), rtol=1e-12, atol=1e-12
        )


@pytest.mark.parametrize("name", [name for name in NAMES if name != "dense"])
def test_multi_hot_is_refused_by_name(name):
    inputs, arguments, _ = CASES[name][0]
    multi_hot = TensorSpec((9,), "multi_hot")
    with pytest.raises(ConfigError, match=f"layer {name} can't read a multi-hot input"):
        make(name, [multi_hot, *inputs[1:]] if isinstance(inputs, list) else multi_hot, arguments)
