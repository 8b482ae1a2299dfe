"""One-dimensional convolutions of given widths with pooling between them, for sequences (section 6.4)."""

from __future__ import annotations

from typing import Any, Literal

from torch import nn

from dlrun.architectures._family import family, per_layer, reads_one
from dlrun.contracts import DataSpec
from dlrun.errors import ConfigError, Problem
from dlrun.layers._activations import Activation
from dlrun.layers._head import OutputActivation
from dlrun.types import Count, Rate


def build(
    spec: DataSpec,
    *,
    filters: list[Count],
    kernel_size: Count | list[Count] = 5,
    pool_size: Count = 3,
    activation: Activation = "relu",
    dropout: Rate = 0.0,
    pooling: Literal["max", "average", "flatten"] = "max",
    output_activation: OutputActivation = "auto",
) -> nn.Module:
    """The nets of sections 6.4.3 and 6.4.4: convolutions with maxima of `pool_size` steps between them.

    filters: width of each convolution. kernel_size: steps that it sees, one value for all or a list. pool_size: 1 for
    no pooling. pooling: what becomes of all steps in the end: their maximum, their mean, or all of them side by side.
    dropout: before the last layer. Raises ConfigError.
    """
    problems: list[Problem] = []
    sizes = per_layer("kernel_size", kernel_size, "filters", len(filters), problems)
    if not filters:
        problems.append(Problem("architecture.filters", "expected the width of at least one layer, received none"))
    reads_one("conv1d", spec, problems)
    if problems:
        raise ConfigError(problems)

    layers: list[dict[str, Any]] = []
    for width, size in zip(filters, sizes, strict=True):
        if layers and pool_size > 1:
            layers.append({"name": "max_pooling1d", "pool_size": pool_size})
        layers.append({"name": "conv1d", "filters": width, "kernel_size": size, "activation": activation})
    layers.append({"name": "flatten" if pooling == "flatten" else f"global_{pooling}_pooling1d"})
    if dropout:
        layers.append({"name": "dropout", "rate": dropout})
    return family(spec, layers, output_activation)
