from __future__ import annotations

import copy

import pytest
import torch
from torch.func import functional_call, stack_module_state

from dlrun.architectures import dense
from dlrun.contracts import Bags, DataSpec, InputSpec, TargetSpec
from dlrun.errors import ConfigError

WORDS = InputSpec((10_000,), "multi_hot")
TARGETS = {
    "binary": TargetSpec("binary", 2),
    "multiclass": TargetSpec("multiclass", 10),
    "multilabel": TargetSpec("multilabel", 4),
    "regression": TargetSpec("regression"),
    "bounded_regression": TargetSpec("bounded_regression", shape=(2, 3)),
}


def spec(inputs: InputSpec, target: TargetSpec) -> DataSpec:
    return DataSpec({"x": inputs}, {"y": target})


def count(model) -> int:
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize(
    ("inputs", "target", "units", "parameters"),
    [
        (InputSpec((28, 28)), TARGETS["multiclass"], [512], 407_050),
        (InputSpec((28, 28)), TARGETS["multiclass"], [32], 25_450),
        (WORDS, TARGETS["binary"], [16, 16], 160_305),
        (WORDS, TARGETS["binary"], [4, 4], 40_029),
        (WORDS, TARGETS["binary"], [512, 512], 5_383_681),
        (WORDS, TargetSpec("multiclass", 46), [64, 64], 647_214),
        (WORDS, TargetSpec("multiclass", 46), [64, 4], 640_554),
        (InputSpec((13,)), TARGETS["regression"], [64, 64], 5_121),
    ],
)
def test_parameters_as_in_the_book(inputs, target, units, parameters):
    with torch.device("meta"):
        assert count(dense.build(spec(inputs, target), units=units)) == parameters


@pytest.mark.parametrize(
    ("problem", "activation", "shape"),
    [
        ("binary", "sigmoid", ()),
        ("multiclass", "softmax", (10,)),
        ("multilabel", "sigmoid", (4,)),
        ("regression", "linear", ()),
        ("bounded_regression", "sigmoid", (2, 3)),
    ],
)
@pytest.mark.parametrize("units", [[], [7]])
def test_head_follows_table_4_1(problem, activation, shape, units):
    model = dense.build(spec(InputSpec((3, 2)), TARGETS[problem]), units=units)
    outputs = model({"x": torch.randn(5, 3, 2)})
    assert model.output_activations == {"y": activation}
    assert outputs["y"].shape == outputs["y_logits"].shape == (5, *shape)
    logits = outputs["y_logits"]
    function = {"sigmoid": torch.sigmoid, "softmax": lambda x: x.softmax(-1), "linear": lambda x: x}[activation]
    torch.testing.assert_close(outputs["y"], function(logits))


def test_output_activation_can_be_chosen():
    model = dense.build(spec(InputSpec((3,)), TARGETS["regression"]), units=[4], output_activation="sigmoid")
    assert model.output_activations == {"y": "sigmoid"}
    outputs = model({"x": torch.randn(5, 3)})
    torch.testing.assert_close(outputs["y"], torch.sigmoid(outputs["y_logits"]))


def test_no_hidden_layer_is_logistic_regression():
    model = dense.build(spec(InputSpec((3,)), TARGETS["binary"]), units=[])
    x = torch.randn(5, 3)
    kernel, bias = model.output.kernel, model.output.bias
    torch.testing.assert_close(model({"x": x})["y_logits"], (x @ kernel)[:, 0] + bias)


def test_several_targets_share_the_hidden_layers():
    both = DataSpec({"x": InputSpec((3,))}, {"items": TARGETS["binary"], "keys": TARGETS["multiclass"]})
    model = dense.build(both, units=[4])
    assert count(model) == (3 * 4 + 4) + (4 + 1) + (4 * 10 + 10)
    assert set(model({"x": torch.randn(5, 3)})) == {"items", "items_logits", "keys", "keys_logits"}


def test_lists_give_each_layer_its_own():
    model = dense.build(
        spec(InputSpec((3,)), TARGETS["binary"]),
        units=[4, 5],
        activation=["tanh", "elu"],
        dropout=[0.0, 0.5],
        l1=0.1,
        l2=[0.0, 0.01],
    )
    layers = dict(model.named_children())
    assert list(layers) == ["dense_1", "dense_2", "dropout_1", "output"]
    hidden = [layers["dense_1"], layers["dense_2"]]
    assert [layer.activation for layer in hidden] == ["tanh", "elu"]
    assert [(layer.l1, layer.l2) for layer in hidden] == [(0.1, 0.0), (0.1, 0.01)]
    assert layers["dropout_1"].rate == 0.5
    assert not hasattr(layers["output"], "penalty")


def test_every_wrong_length_is_reported_at_once():
    with pytest.raises(ConfigError) as caught:
        dense.build(spec(InputSpec((3,)), TARGETS["binary"]), units=[4, 5], activation=["relu"], dropout=[0.5] * 3)
    assert [p.path for p in caught.value.problems] == ["architecture.activation", "architecture.dropout"]
    assert "expected one value or 2" in caught.value.problems[1].message
    assert "got 3" in caught.value.problems[1].message


def test_two_inputs_are_refused_by_name():
    two = DataSpec({"left": InputSpec((3,)), "right": InputSpec((3,))}, {"y": TARGETS["binary"]})
    with pytest.raises(ConfigError, match="exactly one input, the data have 2: left, right"):
        dense.build(two, units=[4])


def test_bags_give_what_the_matrix_gives():
    model = dense.build(spec(InputSpec((50,), "multi_hot"), TARGETS["binary"]), units=[4, 4]).double()
    bags = Bags(torch.tensor([3, 5, 49, 0]), torch.tensor([0, 2, 2, 4]))
    matrix = torch.zeros(3, 50, dtype=torch.float64)
    matrix[0, [3, 5]] = matrix[2, [49, 0]] = 1.0
    torch.testing.assert_close(model({"x": bags})["y"], model({"x": matrix})["y"], rtol=0, atol=1e-10)


def test_stack_equals_models_alone():
    torch.manual_seed(0)
    models = [
        dense.build(spec(InputSpec((6,)), TARGETS["binary"]), units=[4, 4], dropout=0.5).double() for _ in range(3)
    ]
    params, buffers = stack_module_state(models)
    shell = copy.deepcopy(models[0]).to("meta")
    x = torch.randn(3, 8, 6, dtype=torch.float64)

    def one(params, buffers, x):
        return functional_call(shell, (params, buffers), ({"x": x},))["y"].square().mean()

    torch.vmap(one)(params, buffers, x).sum().backward()
    for k, model in enumerate(models):
        model({"x": x[k]})["y"].square().mean().backward()
        for name, p in model.named_parameters():
            torch.testing.assert_close(params[name].grad[k], p.grad, rtol=0, atol=1e-12)
