"""A pretrained block between its preprocessing and a pooling: what the nets of the book's section 5.3 begin with."""

from __future__ import annotations

from typing import Any, Literal

from dlrun.contracts import DataSpec
from dlrun.errors import ConfigError, Problem, available, nearest
from dlrun.graphs.blocks import Library
from dlrun.graphs.pretrained import choose
from dlrun.layers.image_preprocessing import Mode

AnyMode = Mode | Literal["auto"]
Pooling = Literal["flatten", "average", "max"]

LAYERS = {"flatten": "flatten", "average": "global_average_pooling2d", "max": "global_max_pooling2d"}
"""How maps become a vector: all their numbers, or the mean or the largest of each."""


def backbone(
    spec: DataSpec,
    name: str,
    weights: str,
    preprocessing: AnyMode,
    pooling: Pooling,
    group: str,
    *,
    augmentation: dict[str, Any] | None = None,
    trainable: bool = False,
    trainable_from: str | int | None = None,
) -> dict[str, dict[str, Any]]:
    """Layers by name for the data's only input, pictures in colour; `keys` says which argument each is from.

    name: of a block. weights: as in `pretrained.choose`. preprocessing: "auto" is what they were learned with.
    group: `architecture` or `dataset`, whose arguments these are, for messages. trainable_from: the layer of the block
    from which on it trains, whatever `trainable` says. Raises ConfigError, and DataError where weights can't be had.
    """
    problems: list[Problem] = []
    library = Library({}, "")
    if name not in library.names():
        known = [other for other in library.names() if library.get(other).imagenet]
        hint = f"{nearest(name, known)} {available(known)}".strip()
        problems.append(Problem(f"{group}.backbone", f"no block is called '{name}'", hint))
    pictures = next(iter(spec.inputs.values()))
    if len(spec.inputs) != 1 or len(pictures.shape) != 3 or pictures.shape[-1] != 3:
        there = ", ".join(f"{name} {given.shape}" for name, given in spec.inputs.items())
        message = f"a backbone reads exactly one input, pictures in three colours; the data have {there}"
        problems.append(Problem(f"{group}.backbone", message, "choose data of pictures in colour"))
    if problems:
        raise ConfigError(problems)
    mode = preprocessing
    if mode == "auto":
        mode = _learned_with(name, weights, group, spec.sample)
    layers: dict[str, dict[str, Any]] = {}
    if augmentation is not None:
        layers["augmentation"] = {"name": "image_augmentation", **augmentation}
    white = 255.0 / pictures.divide_by
    if (mode, white) != ("none", 1.0):  # else pixels are as they must be
        layers["preprocessing"] = {"name": "image_preprocessing", "mode": mode, "white": white}
    frozen = {"trainable": trainable} if trainable_from is None else {"trainable_from": trainable_from}
    layers[name] = {"name": name, "weights": weights, **frozen}
    layers["pooling"] = {"name": LAYERS[pooling]}
    return layers


def keys(name: str, group: str) -> dict[str, str]:
    """By layer, the argument that it is from."""
    return {name: group, "augmentation": f"{group}.augmentation", "pooling": f"{group}.pooling"}


def _learned_with(name: str, weights: str, group: str, sample: bool) -> Any:
    found = choose(weights, Library({}, "").get(name).imagenet, f"{group}.weights", sample).preprocessing
    if found is None:
        message = f"'auto' is impossible: what pixels {weights} was learned on is not known"
        raise ConfigError(Problem(f"{group}.preprocessing", message, "say caffe, torch, tf or none"))
    return found
