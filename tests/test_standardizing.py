"""Standardised inputs: fitted on the rows they should be, in every fold, carried by the weights."""

import numpy as np
import pytest
import torch

from dlrun.contracts import DataSpec, InputSpec, Rows, Split, TargetSpec
from dlrun.layers import normalization
from dlrun.layers._spec import TensorSpec
from dlrun.standardizing import adapt, standardized


def spec(how: str) -> DataSpec:
    return DataSpec({"x": InputSpec((3,), standardize=how)}, {"y": TargetSpec("regression")})


class Identity(torch.nn.Module):
    output_activations = {"y": "linear"}  # noqa: RUF012

    def forward(self, inputs):
        return {"y": inputs["x"]}


def rows() -> Rows:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(20, 3, generator=generator) * torch.tensor([1.0, 100.0, 0.01]) + torch.tensor([5.0, -300.0, 1e4])
    return Rows({"x": x}, {"y": torch.zeros(20)})


SPLIT = Split(0, 0, np.arange(5, 20), np.arange(5))


@pytest.mark.parametrize(("how", "fitted_on"), [("train", np.arange(5, 20)), ("pool", np.arange(20))])
def test_mean_and_deviation_are_those_of_the_right_rows(how, fitted_on):
    model = standardized(Identity(), spec(how)).double()
    adapt(model, spec(how), rows(), SPLIT)
    x = rows().inputs["x"].double()
    expected = (x - x[fitted_on].mean(0)) / x[fitted_on].std(0, correction=0)
    torch.testing.assert_close(model({"x": x})["y"], expected)


def test_nothing_is_put_before_inputs_that_do_not_ask():
    model = Identity()
    assert standardized(model, spec("no")) is model


def test_what_is_missing_becomes_the_mean_and_what_does_not_vary_zero():
    layer = normalization.build(TensorSpec((2,)))
    values = torch.tensor([[1.0, 7.0], [float("nan"), 7.0], [3.0, 7.0]])
    layer.adapt(values)
    assert layer(values).tolist() == [[-1.0, 0.0], [0.0, 0.0], [1.0, 0.0]]


def test_a_column_that_is_missing_altogether_is_zero():
    layer = normalization.build(TensorSpec((1,)))
    layer.adapt(torch.full((3, 1), float("nan")))
    assert layer(torch.full((2, 1), float("nan"))).tolist() == [[0.0], [0.0]]


def test_mean_and_deviation_travel_with_the_weights():
    first, second = (standardized(Identity(), spec("train")) for _ in range(2))
    adapt(first, spec("train"), rows(), SPLIT)
    second.load_state_dict(first.state_dict())
    x = rows().inputs["x"]
    assert torch.equal(first({"x": x})["y"], second({"x": x})["y"])
    assert not list(first.parameters())


def test_pictures_are_divided_before_they_are_fitted():
    pixels = torch.randint(256, (30, 3), dtype=torch.uint8)
    given = DataSpec({"x": InputSpec((3,), divide_by=255.0, standardize="train")}, {"y": TargetSpec("regression")})
    model = standardized(Identity(), given)
    adapt(model, given, Rows({"x": pixels}, {"y": torch.zeros(30)}), Split(0, 0, np.arange(30), np.arange(0)))
    out = model({"x": pixels.float() / 255})["y"]
    torch.testing.assert_close(out.mean(0), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(out.std(0, correction=0), torch.ones(3))


class Constant(torch.nn.Module):
    """Says z for every row."""

    output_activations = {"y": "linear"}  # noqa: RUF012

    def __init__(self, z: float):
        super().__init__()
        self.z = z

    def forward(self, inputs):
        z = torch.full((len(inputs["x"]),), self.z, dtype=inputs["x"].dtype)
        return {"y": z, "y_logits": z}


@pytest.mark.parametrize(("how", "fitted_on"), [("train", slice(5, 20)), ("pool", slice(0, 20))])
def test_predictions_are_in_the_target_s_own_unit(how, fitted_on):
    given = DataSpec({"x": InputSpec((3,))}, {"y": TargetSpec("regression", standardize=how)})
    prices = torch.linspace(300.0, 1700.0, 20)
    model = standardized(Constant(2.0), given).double()
    adapt(model, given, Rows(rows().inputs, {"y": prices}), SPLIT)
    known = prices[fitted_on].double()
    outputs = model({"x": rows().inputs["x"].double()})
    expected = (known.mean() + 2.0 * known.std(correction=0)).expand(20)
    torch.testing.assert_close(outputs["y"], expected)
    torch.testing.assert_close(outputs["y_logits"], expected)


def test_a_bounded_output_is_left_alone():
    given = DataSpec({"x": InputSpec((3,))}, {"y": TargetSpec("regression", standardize="train")})
    model = Constant(0.5)
    model.output_activations = {"y": "sigmoid"}
    assert standardized(model, given) is model
