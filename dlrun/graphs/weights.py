"""Weights from a file for a graph or a block in it: of dlrun's own names, of torchvision's or of Keras's."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from dlrun.errors import ConfigError, Problem, nearest
from dlrun.graphs.network import Network
from dlrun.graphs.weight_files import checksum, find, read
from dlrun.layers.dense import Dense

PATH = "architecture.weights"
THEIRS = {
    "kernel": "weight",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
"""Keras's names, which are ours, and torch's. Kernels of convolutions lie alike in both."""

SHOWN = 3
"""Tensors of each kind that an error names."""

Paired = dict[str, tuple[str, Tensor]]
"""Our names, and for each the file's name and the tensor in our layout."""


def load(model: nn.Module, named: str) -> str:
    """Give a model the weights of a file, all of which must fit; returns the file's SHA-256. named: as in `find`.
    Raises ConfigError as `fill` does."""
    file = find(named, PATH)
    given = read(file, PATH)
    fill(model, given, _paired(model, _wanted(model), given), str(file), PATH)
    return checksum(file)


def load_part(model: nn.Module, file: Path, path: str) -> str:
    """Give a block the weights of a file, which may be of a net with more around it; returns the file's SHA-256.

    The file's names may begin with a word more (`features.`). Where none of ours is in it, its layers are taken in
    their order, if all shapes agree: VGG16's `block1_conv1` is torchvision's `features.0`. What a net has beside the
    block, as its dense layers, is left out. path: the key, for messages. Raises ConfigError as `fill` does.
    """
    found = read(file, path)
    parts = [_below(found, word) for word in ["", *dict.fromkeys(name.partition(".")[0] + "." for name in found)]]
    wanted = _wanted(model)
    pairs = [_paired(model, wanted, part) for part in parts]
    if not any(pairs):
        pairs = [_in_order(model, wanted, part) for part in parts]
    best = max(range(len(parts)), key=lambda i: len(pairs[i]))
    children = {name for name, _ in model.named_children()}
    given = {n: t for n, t in parts[best].items() if n.partition(".")[0] in children or n in _taken(pairs[best])}
    fill(model, given or found, pairs[best], str(file), path)
    return checksum(file)


def fill(model: nn.Module, given: Mapping[str, Tensor], paired: Paired, source: str, path: str) -> None:
    """Copy paired tensors into a model; one on the meta device is only compared with them. Counters, which have whole
    numbers, stay as they are. Raises ConfigError where tensors are missing, left over or of another shape."""
    wanted = _wanted(model)
    missing = [name for name in wanted if name not in paired]
    unexpected = sorted({*given} - _taken(paired))
    misshapen = [name for name, (_, tensor) in paired.items() if tensor.shape != wanted[name].shape]
    if missing or unexpected or misshapen:
        found = [
            _listed(
                "missing", [name + (_near(name, unexpected) or _near(_theirs(name), unexpected)) for name in missing]
            ),
            _listed("unexpected", [name + _near(name, [*missing, *map(_theirs, missing)]) for name in unexpected]),
            _listed(
                "of another shape",
                [f"{name} {_size(paired[name][1])} instead of {_size(wanted[name])}" for name in misshapen],
            ),
        ]
        message = f"{source} has not the weights of this graph: {'; '.join(filter(None, found))}"
        raise ConfigError(Problem(path, message, "names and shapes of the graph's are in `dlrun show`"))
    with torch.no_grad():
        for name, (_, tensor) in paired.items():
            if not wanted[name].is_meta:
                wanted[name].copy_(tensor)


def _wanted(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in model.state_dict().items() if tensor.is_floating_point()}


def _taken(paired: Paired) -> set[str]:
    return {there for there, _ in paired.values()}


def _below(given: Mapping[str, Tensor], word: str) -> dict[str, Tensor]:
    return {name.removeprefix(word): tensor for name, tensor in given.items() if name.startswith(word)}


def _paired(model: nn.Module, wanted: Iterable[str], given: Mapping[str, Tensor]) -> Paired:
    """By name. That of a node has no dots, so `_` may stand for one: `classifier_1` is torchvision's `classifier.1`."""
    flat = {_flat(name): name for name in given}
    paired = {}
    for name in wanted:
        there = flat.get(_flat(name))
        if there is not None:
            paired[name] = there, given[there]
        elif (there := flat.get(_flat(_theirs(name)))) is not None:
            paired[name] = there, _turned(model, name, given[there])
    return paired


def _in_order(model: nn.Module, wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> Paired:
    """Layers in their order, where there are as many as ours and every tensor has our shape; else nothing."""
    ours, theirs = _layers(wanted), _layers(given)
    names = sorted(theirs, key=lambda name: [int(n) if n.isdigit() else n for n in re.split(r"(\d+)", name)])
    paired = {}
    for (mine, tensors), its in zip(ours.items(), names, strict=False):
        for last, tensor in tensors.items():
            there = theirs[its].get(THEIRS.get(last, last))
            if there is None:
                continue
            there = _turned(model, f"{mine}.{last}", there)
            if there.shape == tensor.shape:
                paired[f"{mine}.{last}"] = f"{its}.{THEIRS.get(last, last)}", there
    return paired if len(ours) == len(names) and len(paired) == len(wanted) == len(given) else {}


def _layers(tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    layers: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        layer, _, last = name.rpartition(".")
        layers.setdefault(layer, {})[last] = tensor
    return layers


def _turned(model: nn.Module, name: str, tensor: Tensor) -> Tensor:
    """torch's kernel of a dense layer in our layout. Flattened maps that it reads have their channels first."""
    layer, _, last = name.rpartition(".")
    if last != "kernel" or not isinstance(model.get_submodule(layer), Dense) or tensor.ndim != 2:
        return tensor
    maps = _flattened(model, layer)
    if maps and tensor.shape[1] == math.prod(maps):
        height, width, channels = maps
        tensor = tensor.reshape(-1, channels, height, width).permute(0, 2, 3, 1).flatten(1)
    return tensor.T


def _flattened(model: nn.Module, layer: str) -> tuple[int, ...]:
    """Height, width and channels of the maps that a layer of a graph reads as one vector; nothing where it does not."""
    owner, _, name = layer.rpartition(".")
    network = model.get_submodule(owner)
    if not isinstance(network, Network):
        return ()
    nodes = {node.name: node for node in network.nodes}
    node = nodes.get(nodes[name].reads[0])
    while node is not None and node.kind == "dropout":
        node = nodes.get(node.reads[0])
    if node is None or node.kind != "flatten":
        return ()
    before = node.reads[0]
    outputs = nodes[before].outputs if before in nodes else [network.inputs[before]] if before in network.inputs else []
    return outputs[0].shape if len(outputs) == 1 and len(outputs[0].shape) == 3 else ()


def _theirs(name: str) -> str:
    layer, dot, last = name.rpartition(".")
    return f"{layer}{dot}{THEIRS.get(last, last)}"


def _flat(name: str) -> str:
    return name.replace(".", "_")


def _near(name: str, known: Iterable[str]) -> str:
    near = nearest(name, known)
    return f" ({near})" if near else ""


def _listed(what: str, names: list[str]) -> str:
    more = f", … ({len(names)} in all)" if len(names) > SHOWN else ""
    return f"{what} {', '.join(names[:SHOWN])}{more}" if names else ""


def _size(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "()"
