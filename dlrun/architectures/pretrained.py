"""A pretrained convnet's convolutions with dense layers of your own: frozen, as a whole or in part."""

from __future__ import annotations

from typing import Any

from torch import nn

from dlrun.architectures._family import family
from dlrun.contracts import DataSpec
from dlrun.graphs.backbone import AnyMode, Pooling, keys
from dlrun.graphs.backbone import backbone as beginning
from dlrun.layers._activations import Activation
from dlrun.layers._head import OutputActivation
from dlrun.types import Count, Rate


def build(
    spec: DataSpec,
    *,
    backbone: str = "vgg16",
    weights: str = "imagenet",
    trainable: bool = False,
    trainable_from: str | int | None = None,
    preprocessing: AnyMode = "auto",
    augmentation: dict[str, Any] | None = None,
    pooling: Pooling = "flatten",
    units: list[Count],
    activation: Activation = "relu",
    dropout: Rate = 0.0,
    output_activation: OutputActivation = "auto",
) -> nn.Module:
    """The nets of section 5.3; output size and last activation come from the data, which are pictures in colour.

    backbone: a block. weights: its own, "imagenet", "none" or a file, see `graphs/pretrained.py`. trainable: whether
    the backbone trains. trainable_from: only from this layer of it on, whatever `trainable` says (5.3.2).
    preprocessing: "auto" is what the weights were learned with. augmentation: arguments of the layer
    `image_augmentation`. pooling: how the maps become a vector: all their numbers, or the mean or largest of each.
    units: width of each hidden layer after it. dropout: after each hidden layer, or, without any, after the pooling.
    Raises ConfigError, and DataError where weights can't be had.
    """
    layers = beginning(
        spec, backbone, weights, preprocessing, pooling, "architecture",
        augmentation=augmentation, trainable=trainable, trainable_from=trainable_from,
    )  # fmt: skip
    for i, width in enumerate(units, start=1):
        layers[f"dense_{i}"] = {"name": "dense", "units": width, "activation": activation}
        if dropout:
            layers[f"dropout_{i}"] = {"name": "dropout", "rate": dropout}
    if dropout and not units:
        layers["dropout"] = {"name": "dropout", "rate": dropout}
    return family(spec, layers, output_activation, keys=keys(backbone, "architecture"))
