"""Files of weights: where they are, and the tensors in them, read without running code."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import pickle
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from dlrun.datasets._files import local_path, mirrors
from dlrun.errors import ConfigError, Problem, nearest

H5 = (".h5", ".hdf5")
NO_H5 = "this file is Keras's, which is read by h5py: pip install h5py"

KERAS = {"W": "kernel", "b": "bias"}
"""Keras's names of before version 2, as the files of VGG16 and VGG19 have them."""


def find(named: str, path: str) -> Path:
    """Where a file is: in the working directory, or in the folder `weights/` of a mirror. path: the key, for messages.
    Raises ConfigError with every place that was looked at."""
    folders = [local_path(mirror) / "weights" for mirror in mirrors() if not mirror.startswith("http")]
    places = [Path(named).expanduser(), *(folder / named for folder in folders)]
    for place in dict.fromkeys(places):
        if place.is_file():
            return place
    tried = ", ".join(map(str, dict.fromkeys(places)))
    there = [file.name for place in places if place.parent.is_dir() for file in place.parent.iterdir()]
    hint = f"{nearest(Path(named).name, there)} DLRUN_MIRROR may name a folder that has weights/{named}".strip()
    raise ConfigError(Problem(path, f"no such file: {tried}", hint))


def read(file: Path, path: str) -> dict[str, Tensor]:
    """All tensors of a file that are no counters: safetensors, a `state_dict` by `torch.save`, or Keras's weights of a
    model in HDF5. path: the key, for messages. Raises ConfigError."""
    if file.suffix in H5 and not readable_h5():
        raise ConfigError(Problem(path, f"{file} can't be read", NO_H5))
    try:
        with torch.device("cpu"):
            if file.suffix == ".safetensors":
                found: Any = load_file(file)
            elif file.suffix in H5:
                found = _of_keras(file)
            else:
                found = torch.load(file, map_location="cpu", weights_only=True)
    except (SafetensorError, OSError, RuntimeError, ValueError, EOFError, KeyError, pickle.UnpicklingError) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        message = f"{file} can't be read as a file of weights ({file.stat().st_size:,} bytes): {said}"
        hint = "it may be cut short or no file of weights; expected are .safetensors, or a state_dict by torch.save"
        raise ConfigError(Problem(path, message, hint)) from None
    if not isinstance(found, dict) or not all(isinstance(tensor, Tensor) for tensor in found.values()):
        kind = f"a {type(found).__name__}" if not isinstance(found, dict) else f"keys {', '.join(map(str, found))[:80]}"
        raise ConfigError(Problem(path, f"{file}: expected tensors by name, received {kind}", "save a state_dict"))
    return {str(name): tensor for name, tensor in found.items() if tensor.is_floating_point()}


def readable_h5() -> bool:
    """Whether Keras's files can be read here."""
    return importlib.util.find_spec("h5py") is not None


def _of_keras(file: Path) -> dict[str, Tensor]:
    """A group per layer holds its arrays, `block1_conv1_W_1:0` or `kernel:0`; a kernel of pictures lies [height, width,
    channels, filters] in them."""
    import h5py

    found: dict[str, Tensor] = {}

    def take(inside: str, array: Any) -> None:
        if not isinstance(array, h5py.Dataset):
            return
        layer, _, last = inside.partition("/")
        word = last.rpartition("/")[2].removeprefix(f"{layer}_").partition(":")[0]
        word = next((ours for theirs, ours in KERAS.items() if word == theirs or word.startswith(f"{theirs}_")), word)
        tensor = torch.from_numpy(array[()])
        found[f"{layer}.{word}"] = tensor.permute(3, 2, 0, 1).contiguous() if tensor.ndim == 4 else tensor

    with h5py.File(file, "r") as opened:
        opened.get("model_weights", opened).visititems(take)
    return found


def checksum(file: Path) -> str:
    """The SHA-256 of its content."""
    stat = file.stat()
    return _checksum(file, stat.st_size, stat.st_mtime_ns)


@functools.lru_cache
def _checksum(file: Path, size: int, changed: int) -> str:
    """Of a file as it was at that time."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
