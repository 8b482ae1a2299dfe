"""Blocks of convolution and pooling, then dense layers, with dropout and augmentation where wanted."""

from __future__ import annotations

from typing import Any, Literal

from torch import nn

from dlrun.architectures._family import family, per_layer
from dlrun.contracts import DataSpec
from dlrun.errors import ConfigError, Problem
from dlrun.layers._activations import Activation
from dlrun.layers._head import OutputActivation
from dlrun.layers._initializers import Initializer
from dlrun.layers._making import recipe
from dlrun.layers._windows import Padding
from dlrun.types import Count, Rate

Pooling = Literal["max", "average", "strided", "none"]


def build(
    spec: DataSpec,
    *,
    filters: list[Count],
    kernel_size: Count | list[Count] = 3,
    padding: Padding = "valid",
    pooling: Pooling | list[Pooling] = "max",
    pool_size: Count | list[Count] = 2,
    batch_normalization: bool = False,
    dropout: Rate | list[Rate] = 0.0,
    units: list[Count],
    head_dropout: Rate | list[Rate] = 0.0,
    augmentation: dict[str, Any] | None = None,
    activation: Activation = "relu",
    kernel_initializer: Initializer = "glorot_uniform",
    output_activation: OutputActivation = "auto",
) -> nn.Module:
    """The nets of sections 5.1 and 5.2; sizes of pictures and outputs come from the data.

    filters: of each block's convolution; a single value of `kernel_size`, `pooling`, `pool_size`, `dropout` holds for
    every block, a list has one per block. pooling: of windows that do not overlap; `strided` has no pooling, and a
    convolution that moves `pool_size` at a time (5.1.2). batch_normalization: after each activation, as in 7.3.1.
    dropout: after each block. units: of the dense layers between the flattened pictures and the last layer, with
    `head_dropout` before each (5.2.5). augmentation: arguments of the layer `image_augmentation`, which then comes
    first. Raises ConfigError where a list has another length, and where the data are not one picture a row, (height,
    width) or (height, width, channels).
    """
    problems: list[Problem] = []
    per_block = {
        key: per_layer(key, value, "filters", len(filters), problems)
        for key, value in {
            "kernel_size": kernel_size, "pooling": pooling, "pool_size": pool_size, "dropout": dropout,
        }.items()
    }  # fmt: skip
    head_dropouts = per_layer("head_dropout", head_dropout, "units", len(units), problems)
    shapes = [given.shape for given in spec.inputs.values()]
    if len(shapes) != 1 or len(shapes[0]) not in (2, 3):
        received = ", ".join(f"{name} {given.shape}" for name, given in spec.inputs.items())
        message = f"convnet reads one picture, (height, width) or (height, width, channels); the data have {received}"
        problems.append(Problem("architecture.name", message, "choose another architecture"))
    augmented = {"name": "image_augmentation", **(augmentation or {})}
    try:
        recipe(augmented, "architecture.augmentation")
    except ConfigError as error:
        problems += error.problems
    if problems:
        raise ConfigError(problems)

    drawn = {"activation": activation, "kernel_initializer": kernel_initializer}
    layers: list[dict[str, Any]] = []
    if len(shapes[0]) == 2:
        layers.append({"name": "reshape", "target_shape": [*shapes[0], 1]})
    if augmentation:
        layers.append(augmented)
    for i, count in enumerate(filters):
        kind, size = per_block["pooling"][i], per_block["pool_size"][i]
        window = {"kernel_size": per_block["kernel_size"][i], "strides": size if kind == "strided" else 1}
        layers.append({"name": "conv2d", "filters": count, **window, "padding": padding, **drawn})
        if batch_normalization:
            layers.append({"name": "batch_normalization"})
        if kind in ("max", "average"):
            layers.append({"name": f"{kind}_pooling2d", "pool_size": size})
        if per_block["dropout"][i]:
            layers.append({"name": "dropout", "rate": per_block["dropout"][i]})
    layers.append({"name": "flatten"})
    for width, rate in zip(units, head_dropouts, strict=True):
        if rate:
            layers.append({"name": "dropout", "rate": rate})
        layers.append({"name": "dense", "units": width, **drawn})
    return family(spec, layers, output_activation, kernel_initializer)
