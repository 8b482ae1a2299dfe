"""Fully connected hidden layers of given widths, with dropout and weight penalties where wanted."""

from __future__ import annotations

from typing import Any

from torch import nn

from dlrun.architectures._family import family, per_layer, reads_one
from dlrun.contracts import DataSpec
from dlrun.errors import ConfigError, Problem
from dlrun.layers._activations import Activation
from dlrun.layers._head import OutputActivation
from dlrun.layers._initializers import Initializer
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
    per_unit = {key: per_layer(key, value, "units", len(units), problems) for key, value in settings.items()}
    reads_one("dense", spec, problems)
    if problems:
        raise ConfigError(problems)

    inputs = next(iter(spec.inputs.values()))
    layers: list[dict[str, Any]] = [] if len(inputs.shape) == 1 else [{"name": "flatten"}]
    for i, width in enumerate(units):
        hidden = {"name": "dense", "units": width, "kernel_initializer": kernel_initializer}
        layers.append(hidden | {key: per_unit[key][i] for key in ("activation", "l1", "l2")})
        if per_unit["dropout"][i]:
            layers.append({"name": "dropout", "rate": per_unit["dropout"][i]})
    return family(spec, layers, output_activation, kernel_initializer)
