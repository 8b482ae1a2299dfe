"""Encoded tensors kept beside a dataset's files, so that a second start reads nothing else."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

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
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]
    path = cache_folder() / dataset / f"encoded-{digest}.safetensors"
    if path.exists():
        try:
            return Encoded(path)
        except (SafetensorError, OSError) as error:
            log.warning("%s can't be read (%s): encoding again", path, error)
    tensors = make()
    try:
        with written_aside(path) as part:
            part.write_bytes(save(tensors))  # save_file would forbid others to read a shared cache
        return Encoded(path)
    except (SafetensorError, OSError) as error:
        log.warning("%s can't be written (%s): the next start will encode again", path, error)
        return tensors
