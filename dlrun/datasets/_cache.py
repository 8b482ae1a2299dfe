"""Encoded tensors kept beside a dataset's files, so that a second start reads nothing else."""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from dlrun.datasets._files import cache_folder, written_aside

log = logging.getLogger("dlrun")


class Encoded(Mapping[str, Tensor]):
    """Named tensors of a safetensors file, each mapped into memory when it is asked for."""

    def __init__(self, path: Path):
        self._file = safe_open(path, framework="pt")
        self._names = tuple(self._file.keys())

    def __getitem__(self, name: str) -> Tensor:
        if name not in self._names:
            raise KeyError(name)
        tensor: Tensor = self._file.get_tensor(name)
        return tensor

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def encoded(dataset: str, key: Mapping[str, Any], make: Callable[[], dict[str, Tensor]]) -> Mapping[str, Tensor]:
    """What `make` gives, from the cache where it was made before.

    key: all that the result depends on (arguments, checksums, a version of the encoding), as plain data.
    A file that can't be read is made anew; where the cache can't be written, the result is used as it is.
    """
    path = _path(dataset, key)
    if there := _there(path):
        return there
    tensors = make()
    try:
        with written_aside(path) as part:
            part.write_bytes(save(tensors))  # save_file would forbid others to read a shared cache
        return Encoded(path)
    except (SafetensorError, OSError) as error:
        log.warning("%s can't be written (%s): the next start will encode again", path, error)
        return tensors


Fill = Callable[[np.ndarray], tuple[int, dict[str, Tensor]]]
"""Writes rows into uint8 [N, *shape]; returns how many of the first ones are taken, and small tensors beside them."""

HEADER = 4096
"""Bytes before the rows of `filled`: a page, and room to describe some tensors."""


def filled(dataset: str, key: Mapping[str, Any], name: str, shape: tuple[int, ...], fill: Fill) -> Mapping[str, Tensor]:
    """As `encoded`, for rows that need not fit into memory: `fill` writes them where they will lie, on disk.

    name: of the rows among the tensors. shape: of all rows. Raises OSError where the cache has no room for them.
    """
    path = _path(dataset, key)
    if there := _there(path):
        return there
    with written_aside(path) as part, part.open("w+b") as file:
        size = HEADER + int(np.prod(shape))
        if shutil.disk_usage(part.parent).free < size:  # a full disk would end the process by a signal
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        file.truncate(size)
        rows = np.memmap(file, np.uint8, "r+", HEADER, shape)
        count, beside = fill(rows)
        rows.flush()
        file.truncate(HEADER + int(np.prod((count, *shape[1:]))))
        _describe(file, {name: torch.from_numpy(rows[:count])}, beside)
    return Encoded(path)


def _describe(file: Any, first: dict[str, Tensor], beside: dict[str, Tensor]) -> None:
    """The header of a safetensors file whose first tensor is written already, and the others behind it."""
    described, end = {}, 0
    file.seek(0, os.SEEK_END)
    for name, tensor in {**first, **beside}.items():
        start, end = end, end + tensor.nbytes
        described[name] = {"dtype": DTYPES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [start, end]}
        if name in beside:
            file.write(tensor.numpy().tobytes())
    file.seek(0)
    file.write((HEADER - 8).to_bytes(8, "little") + json.dumps(described).encode().ljust(HEADER - 8))


DTYPES = {torch.uint8: "U8", torch.int64: "I64"}
"""As safetensors calls them."""


def _path(dataset: str, key: Mapping[str, Any]) -> Path:
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]
    return cache_folder() / dataset / f"encoded-{digest}.safetensors"


def _there(path: Path) -> Encoded | None:
    """What was encoded before, where it can be read."""
    if path.exists():
        try:
            return Encoded(path)
        except (SafetensorError, OSError) as error:
            log.warning("%s can't be read (%s): encoding again", path, error)
    return None
