"""Fully connected hidden layers of given widths, with dropout and weight penalties where wanted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from dlrun.contracts import Column, DataSpec
from dlrun.errors import ConfigError, Problem
from dlrun.layers import dense as dense_layer
from dlrun.layers import dropout as dropout_layer
from dlrun.layers import flatten
from dlrun.layers._activations import Activation
from dlrun.layers._head import Head, OutputActivation
from dlrun.layers._initializers import Initializer
from dlrun.layers._spec import TensorSpec
from dlrun.types import Count, NonNegative, Rate


def build(
    spec: DataSpec,
    *,
    units: list[Count],
    activation: Activation | list[Activation] = "relu",
    dropout: Rate | list[Rate] = 0.0,
    l1: NonNegative | list[NonNegative] = 0.0,
    l2: NonNegative | list[NonNegative] = 0.0,
    kernel_initializer: Initializer = "glorot_uniform",
    output_activation: OutputActivation = "auto",
) -> nn.Module:
    """The nets of chapters 3 and 4; input size, output size and last activation come from the data.

    units: width of each hidden layer; an empty list gives logistic or linear regression (1.2). A single
    value of `activation`, `dropout`, `l1`, `l2` holds for every hidden layer, a list has one per hidden
    layer. dropout follows the activation (4.4.3); l1 and l2 weigh the hidden kernels (4.4.2).
    output_activation: "auto" follows table 4-1. The last layer has no penalty and no dropout. Raises
    ConfigError where a list has another length than units, and where the data have more than one input.
    """
    problems: list[Problem] = []
    settings = {"activation": activation, "dropout": dropout, "l1": l1, "l2": l2}
    per_layer = {key: _per_layer(key, value, len(units), problems) for key, value in settings.items()}
    if len(spec.inputs) != 1:
        message = f"dense reads exactly one input, the data have {len(spec.inputs)}: {', '.join(spec.inputs)}"
        problems.append(Problem("architecture.name", message, "choose an architecture for several inputs"))
    if problems:
        raise ConfigError(problems)

    name, inputs = next(iter(spec.inputs.items()))
    features = TensorSpec.of(inputs)
    layers: list[nn.Module] = []
    if len(features.shape) != 1:
        layers.append(flatten.build(features))
        features = TensorSpec((features.size,))
    for i, width in enumerate(units):
        layers.append(
            dense_layer.build(
                features,
                units=width,
                activation=per_layer["activation"][i],
                kernel_initializer=kernel_initializer,
                l1=per_layer["l1"][i],
                l2=per_layer["l2"][i],
            )
        )
        features = TensorSpec((width,))
        if per_layer["dropout"][i]:
            layers.append(dropout_layer.build(features, rate=per_layer["dropout"][i]))
    return DenseStack(name, layers, Head(features, spec, output_activation, kernel_initializer))


def _per_layer(key: str, value: Any, layers: int, problems: list[Problem]) -> list[Any]:
    """`value` once per hidden layer; a list of another length is added to `problems`."""
    if not isinstance(value, list):
        return [value] * layers
    if len(value) != layers:
        message = f"expected one value or {layers}, one per hidden layer of units; got {len(value)}: {value}"
        problems.append(Problem(f"architecture.{key}", message, f"change architecture.{key} or architecture.units"))
    return value


class DenseStack(nn.Module):
    """Hidden layers one after another, then the head."""

    def __init__(self, input_name: str, layers: list[nn.Module], head: Head):
        super().__init__()
        self.input_name = input_name
        self.layers = nn.ModuleList(layers)
        self.head = head
        self.output_activations = head.output_activations

    def forward(self, inputs: Mapping[str, Column]) -> dict[str, Tensor]:
        """inputs[name]: [B, *shape] or `Bags` of B rows; returns the outputs of `Head`."""
        features = inputs[self.input_name]
        for layer in self.layers:
            features = layer(features)
        return self.head(features)
