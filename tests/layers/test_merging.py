"""Layers of several inputs: Keras's figures, gradients, and what they say of inputs that do not fit."""

from __future__ import annotations

import importlib
import math

import pytest
import torch

from dlrun.errors import ConfigError
from dlrun.layers._spec import TensorSpec

ANY_NUMBER = ["add", "multiply", "average", "maximum", "minimum", "concatenate"]
TWO = ["subtract", "absolute_difference", "dot"]


def specs(*shapes):
    return [TensorSpec(shape) for shape in shapes]


def make(name, inputs, **arguments):
    if name == "dot":
        arguments = {"axes": 1, **arguments}
    return importlib.import_module(f"dlrun.layers.{name}").build(inputs, **arguments)


def ramps(*shapes):
    made = []
    for i, shape in enumerate(shapes):
        count = torch.arange(math.prod(shape), dtype=torch.float64)
        made.append((count * (0.37 + 0.1 * i) - 1).sin().mul(2).view(shape))
    return made


def weighed(y):
    """One number that says whether all are right."""
    return float((y * (torch.arange(y.numel(), dtype=y.dtype) * 0.7).cos().view(y.shape)).sum())


BROAD = ((2, 3, 4), (2, 1, 4), (2, 3, 1))
# name, arguments, shapes with the batch; shape and weighed sum from Keras 3.15 on jax
FROM_KERAS = [
    ("add", {}, BROAD, (2, 3, 4), -14.4152566),
    ("multiply", {}, BROAD, (2, 3, 4), -24.2043932),
    ("average", {}, BROAD, (2, 3, 4), -4.8050855),
    ("maximum", {}, BROAD, (2, 3, 4), -6.33957),
    ("minimum", {}, BROAD, (2, 3, 4), -4.5348677),
    ("subtract", {}, ((2, 3, 4), (2, 3, 1)), (2, 3, 4), -1.8950616),
    ("concatenate", {"axis": 1}, ((2, 3, 4), (2, 2, 4)), (2, 5, 4), -0.2144655),
    ("concatenate", {}, ((2, 3, 4), (2, 3, 2), (2, 3, 1)), (2, 3, 7), 15.7118945),
    ("dot", {"axes": 1}, ((2, 4), (2, 4)), (2, 1), 12.6773614),
    ("dot", {"axes": 1, "normalize": True}, ((2, 4), (2, 4)), (2, 1), 1.6815203),
    ("dot", {"axes": 2}, ((2, 3, 4), (2, 5, 4)), (2, 3, 5), -0.8784544),
    ("dot", {"axes": [1, 2]}, ((2, 3, 4), (2, 5, 3)), (2, 4, 5), 0.6098412),
    ("dot", {"axes": 1}, ((2, 4, 3), (2, 4)), (2, 3), 14.0298416),
    ("dot", {"axes": [1, 2]}, ((2, 4), (2, 3, 4)), (2, 3), -7.2431664),
    ("dot", {"axes": [2, 1], "normalize": True}, ((2, 3, 4), (2, 4, 5)), (2, 3, 5), 0.5547123),
    ("dot", {"axes": [3, 1]}, ((2, 2, 3, 4), (2, 4, 5)), (2, 2, 3, 5), 1.7220844),
]


@pytest.mark.parametrize(("name", "arguments", "shapes", "shape", "total"), FROM_KERAS)
def test_keras_figures(name, arguments, shapes, shape, total):
    layer = make(name, specs(*(s[1:] for s in shapes)), **arguments)
    y = layer(*ramps(*shapes))
    assert y.shape == shape
    assert layer.output.shape == shape[1:]
    assert weighed(y) == pytest.approx(total, abs=2e-5)
    assert not layer.state_dict()


def test_absolute_difference_is_symmetric():
    layer, (a, b) = make("absolute_difference", specs((4,), (4,))), ramps((3, 4), (3, 4))
    assert torch.equal(layer(a, b), (a - b).abs())
    assert torch.equal(layer(a, b), layer(b, a))


@pytest.mark.parametrize("name", [*ANY_NUMBER, *TWO])
def test_gradients(name):
    layer = make(name, specs((4,), (4,)))
    inputs = [x.requires_grad_() for x in ramps((2, 4), (2, 4))]
    assert torch.autograd.gradcheck(layer, [x + 0.1 * i for i, x in enumerate(inputs)])


def test_normalised_vectors_of_zeros_stay_zeros():
    x = torch.zeros(2, 3, requires_grad=True)
    y = make("dot", specs((3,), (3,)), normalize=True)(x, torch.ones(2, 3))
    y.sum().backward()
    assert y.tolist() == [[0.0], [0.0]]
    assert x.grad.isfinite().all()


def test_other_lengths_than_at_build():
    assert make("add", specs((4, 2), (4, 2)))(*ramps((3, 9, 2), (3, 9, 2))).shape == (3, 9, 2)
    assert make("concatenate", specs((4, 2), (4, 3)))(*ramps((3, 9, 2), (3, 9, 3))).shape == (3, 9, 5)
    assert make("dot", specs((4, 2), (5, 2)), axes=2)(*ramps((3, 9, 2), (3, 7, 2))).shape == (3, 9, 7)


def test_inputs_are_left_as_they_were():
    inputs = ramps(*[(2, 3)] * 4)
    before = [x.clone() for x in inputs]
    for name in ANY_NUMBER:
        make(name, specs(*[(3,)] * 4))(*inputs)
    assert all(torch.equal(x, y) for x, y in zip(inputs, before, strict=True))


@pytest.mark.parametrize("name", [*ANY_NUMBER, *TWO])
def test_how_many_inputs(name):
    wanted = "two inputs" if name in TWO else "at least two inputs"
    for one in (specs((4,)), TensorSpec((4,))):
        with pytest.raises(ConfigError, match=rf"{name} needs {wanted}, received 1: \(4,\)"):
            make(name, one)
    with pytest.raises(ConfigError, match=f"{name} needs {wanted}, received none"):
        make(name, [])
    if name in TWO:
        with pytest.raises(ConfigError, match=rf"{name} needs two inputs, received 3: \(4,\), \(5,\) and \(6,\)"):
            make(name, specs((4,), (5,), (6,)))


@pytest.mark.parametrize("name", [n for n in [*ANY_NUMBER, *TWO] if n not in ("concatenate", "dot")])
@pytest.mark.parametrize("shapes", [((14, 14, 128), (15, 15, 128)), ((3, 4), (4,)), ((), (1,))])
def test_shapes_that_do_not_fit(name, shapes):
    with pytest.raises(ConfigError) as error:
        make(name, specs(*shapes))
    first, second = map(str, specs(*shapes))
    assert error.value.problems[0].message == f"{name} needs inputs of one shape, received {first} and {second}"


@pytest.mark.parametrize(
    ("name", "arguments", "shapes", "said"),
    [
        ("concatenate", {}, ((4, 5), (3, 5)), r"differ along axis -1 alone, received \(4, 5\) and \(3, 5\)"),
        ("concatenate", {"axis": 1}, ((4, 5), (4, 5), (4,)), r"received \(4, 5\), \(4, 5\) and \(4,\)"),
        ("concatenate", {"axis": 1}, ((4, 5), (4, 5, 1)), r"received \(4, 5\) and \(4, 5, 1\)"),
        ("concatenate", {"axis": 0}, ((4, 5), (4, 5)), "has no axis 0"),
        ("concatenate", {"axis": 3}, ((4, 5), (4, 5)), "has no axis 3"),
        ("concatenate", {}, ((), ()), "has no axis -1"),
        ("dot", {"axes": 2}, ((4, 5), (4, 6)), r"equal sizes along the axes \[2, 2\], received \(4, 5\) and \(4, 6\)"),
        ("dot", {"axes": [1, 2, 3]}, ((4, 5), (4, 5)), r"one axis or two, received axes \[1, 2, 3\]"),
        ("dot", {"axes": [1, 3]}, ((4, 5), (4, 5)), "has no axis 3"),
    ],
)
def test_axes_that_do_not_fit(name, arguments, shapes, said):
    with pytest.raises(ConfigError, match=said):
        make(name, specs(*shapes), **arguments)


@pytest.mark.parametrize("name", [*ANY_NUMBER, *TWO])
def test_only_values_are_merged(name):
    for wrong, said in [
        (TensorSpec((4,), "tokens", 9), "can't read tokens"),
        (TensorSpec((4, 2), masked=True), "can't read a masked sequence"),
    ]:
        with pytest.raises(ConfigError, match=f"layer {name} {said}"):
            make(name, [TensorSpec((4,)), wrong])
