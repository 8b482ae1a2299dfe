"""Weights of a graph from a file: of dlrun's own names, or of torchvision's."""

from __future__ import annotations

import functools
import hashlib
import pickle
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from dlrun.datasets._files import local_path, mirrors
from dlrun.errors import ConfigError, Problem, nearest
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


def load(model: nn.Module, path: str) -> str:
    """Give the model the weights of a file; returns the file's SHA-256.

    path: a `.safetensors` file or one of torch's, in the working directory or in the folder `weights/` of a mirror.
    A model on the meta device is only compared with the file. Counters, which have whole numbers, stay as they are.
    Raises ConfigError where the file can't be read, and where its tensors are not the model's.
    """
    file = find(path)
    given = _read(file)
    wanted = {name: tensor for name, tensor in model.state_dict().items() if tensor.is_floating_point()}
    paired = _paired(model, wanted, given)
    missing = [name for name in wanted if name not in paired]
    unexpected = sorted({*given} - {there for there, _ in paired.values()})
    misshapen = [name for name, (_, tensor) in paired.items() if tensor.shape != wanted[name].shape]
    if missing or unexpected or misshapen:
        found = [
            _listed("missing", [name + _near(_theirs(name), unexpected) for name in missing]),
            _listed("unexpected", [name + _near(name, map(_theirs, missing)) for name in unexpected]),
            _listed(
                "of another shape",
                [f"{name} {_size(paired[name][1])} instead of {_size(wanted[name])}" for name in misshapen],
            ),
        ]
        message = f"{file} has not the weights of this graph: {'; '.join(filter(None, found))}"
        raise ConfigError(Problem(PATH, message, "names and shapes of the graph's are in `dlrun show`"))
    with torch.no_grad():
        for name, (_, tensor) in paired.items():
            if not wanted[name].is_meta:
                wanted[name].copy_(tensor)
    stat = file.stat()
    return _checksum(file, stat.st_size, stat.st_mtime_ns)


def find(path: str) -> Path:
    """Where the file is. Raises ConfigError with every place that was looked at."""
    folders = [local_path(mirror) / "weights" for mirror in mirrors() if not mirror.startswith("http")]
    places = [Path(path).expanduser(), *(folder / path for folder in folders)]
    for place in dict.fromkeys(places):
        if place.is_file():
            return place
    tried = ", ".join(map(str, dict.fromkeys(places)))
    there = [file.name for place in places if place.parent.is_dir() for file in place.parent.iterdir()]
    hint = f"{nearest(Path(path).name, there)} DLRUN_MIRROR may name a folder that has weights/{path}".strip()
    raise ConfigError(Problem(PATH, f"no such file: {tried}", hint))


def _read(file: Path) -> dict[str, Tensor]:
    """All tensors of a file that are no counters."""
    try:
        with torch.device("cpu"):
            if file.suffix == ".safetensors":
                found: Any = load_file(file)
            else:
                found = torch.load(file, map_location="cpu", weights_only=True)
    except (SafetensorError, OSError, RuntimeError, ValueError, EOFError, KeyError, pickle.UnpicklingError) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        message = f"{file} can't be read as a file of weights ({file.stat().st_size:,} bytes): {said}"
        hint = "it may be cut short or no file of weights; expected are .safetensors, or a state_dict by torch.save"
        raise ConfigError(Problem(PATH, message, hint)) from None
    if not isinstance(found, dict) or not all(isinstance(tensor, Tensor) for tensor in found.values()):
        kind = f"a {type(found).__name__}" if not isinstance(found, dict) else f"keys {', '.join(map(str, found))[:80]}"
        raise ConfigError(Problem(PATH, f"{file}: expected tensors by name, received {kind}", "save a state_dict"))
    return {str(name): tensor for name, tensor in found.items() if tensor.is_floating_point()}


def _paired(model: nn.Module, wanted: Iterable[str], given: dict[str, Tensor]) -> dict[str, tuple[str, Tensor]]:
    """For each of our names the file's, and the tensor in our layout.

    The name of a node has no dots, so `_` may stand for one: `classifier_1` is torchvision's `classifier.1`.
    """
    flat = {_flat(name): name for name in given}
    paired = {}
    for name in wanted:
        there = flat.get(_flat(name))
        if there is not None:
            paired[name] = there, given[there]
        elif (there := flat.get(_flat(_theirs(name)))) is not None:
            layer, _, last = name.rpartition(".")
            turned = last == "kernel" and isinstance(model.get_submodule(layer), Dense) and given[there].ndim == 2
            paired[name] = there, given[there].T if turned else given[there]
    return paired


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


@functools.lru_cache
def _checksum(file: Path, size: int, changed: int) -> str:
    """Of a file as it was at that time."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
