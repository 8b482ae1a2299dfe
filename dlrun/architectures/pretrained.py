"""A pretrained convnet's convolutions with dense layers of your own: frozen, as a whole or in part."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from torch import nn

from dlrun.architectures._family import family
from dlrun.contracts import DataSpec, InputSpec
from dlrun.errors import ConfigError, Problem, available, nearest
from dlrun.graphs.blocks import Library
from dlrun.graphs.pretrained import choose
from dlrun.layers._activations import Activation
from dlrun.layers._head import OutputActivation
from dlrun.layers.image_preprocessing import Mode
from dlrun.types import Count, Rate

POOLING = {"flatten": "flatten", "average": "global_average_pooling2d", "max": "global_max_pooling2d"}


def build(
    spec: DataSpec,
    *,
    backbone: str = "vgg16",
    weights: str = "imagenet",
    trainable: bool = False,
    trainable_from: str | int | None = None,
    preprocessing: Mode | Literal["auto"] = "auto",
    augmentation: dict[str, Any] | None = None,
    pooling: Literal["flatten", "average", "max"] = "flatten",
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
    problems: list[Problem] = []
    library = Library({}, "")
    if backbone not in library.names():
        known = [name for name in library.names() if library.get(name).imagenet]
        hint = f"{nearest(backbone, known)} {available(known)}".strip()
        problems.append(Problem("architecture.backbone", f"no block is called '{backbone}'", hint))
    pictures = next(iter(spec.inputs.values()))
    if len(spec.inputs) != 1 or len(pictures.shape) != 3 or pictures.shape[-1] != 3:
        there = ", ".join(f"{name} {given.shape}" for name, given in spec.inputs.items())
        message = f"pretrained reads exactly one input, pictures in three colours; the data have {there}"
        problems.append(Problem("architecture.name", message, "choose data of pictures in colour"))
    if problems:
        raise ConfigError(problems)

    mode = preprocessing
    if mode == "auto":
        mode = mode_of(backbone, weights, "architecture.", spec.sample)
    layers: dict[str, dict[str, Any]] = {}
    if augmentation is not None:
        layers["augmentation"] = {"name": "image_augmentation", **augmentation}
    layers |= prepared(pictures, mode)
    frozen = {"trainable": trainable} if trainable_from is None else {"trainable_from": trainable_from}
    layers[backbone] = {"name": backbone, "weights": weights, **frozen}
    layers["pooling"] = {"name": POOLING[pooling]}
    for i, width in enumerate(units, start=1):
        layers[f"dense_{i}"] = {"name": "dense", "units": width, "activation": activation}
        if dropout:
            layers[f"dropout_{i}"] = {"name": "dropout", "rate": dropout}
    if dropout and not units:
        layers["dropout"] = {"name": "dropout", "rate": dropout}
    try:
        return family(spec, layers, output_activation)
    except ConfigError as error:
        raise ConfigError([_ours(problem, backbone) for problem in error.problems]) from None


def mode_of(backbone: str, weights: str, path: str, sample: bool) -> Mode:
    """What pixels the weights were learned on. path: of the keys, for messages. Raises ConfigError where that is not
    known, and DataError where the weights can't be had."""
    found = choose(weights, Library({}, "").get(backbone).imagenet, f"{path}weights", sample).preprocessing
    if found is None:
        message = f"'auto' is impossible: what pixels {weights} was learned on is not known"
        raise ConfigError(Problem(f"{path}preprocessing", message, "say caffe, torch, tf or none"))
    return found  # type: ignore[return-value]


def prepared(pictures: InputSpec, mode: Mode) -> dict[str, dict[str, Any]]:
    """The layer that makes such pixels of what the loader gives; none where they are as they must be."""
    white = 255.0 / pictures.divide_by
    if mode == "none" and white == 1.0:
        return {}
    return {"preprocessing": {"name": "image_preprocessing", "mode": mode, "white": white}}


def _ours(problem: Problem, backbone: str) -> Problem:
    """With the key of this family that the node is made from."""
    for node, key in ((backbone, ""), ("augmentation", ".augmentation"), ("preprocessing", ".name")):
        where = f"architecture.layers.{node}"
        if problem.path == where and not key:
            return replace(problem, path="architecture.backbone")
        if problem.path == where or problem.path.startswith(f"{where}."):
            return replace(problem, path=f"architecture{key}{problem.path.removeprefix(where)}")
    return problem
