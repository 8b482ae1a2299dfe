"""Decoded pictures on disk, mapped into memory: decoded once, and they need not fit into it."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dlrun.datasets._cache import filled
from dlrun.datasets._image_pixels import Color, Interpolation, Pictures, decode_all, shape
from dlrun.errors import DataError
from dlrun.memory import require

log = logging.getLogger("dlrun")

ENCODING = 1  # raise when the decoded pixels change
SHOWN = 5  # pictures that can't be read, by name


def stored(
    dataset: str,
    key: Mapping[str, Any],
    pictures: Pictures,
    size: tuple[int, int],
    color: Color,
    interpolation: Interpolation,
    skip_unreadable: bool,
) -> Mapping[str, Tensor]:
    """image: uint8 [M, *shape]. kept: int64 [M], which of the N pictures they are. sha256: uint8 [32], of the pixels.

    key: what the files depend on. Raises DataError that names the pictures that can't be read, unless they are to be
    skipped.
    """
    whole = (len(pictures.names), *shape(size, color))
    key = {**key, "pixels": ENCODING, "size": size, "color": color, "interpolation": interpolation,
           "skip": skip_unreadable}  # fmt: skip

    def fill(image: np.ndarray) -> tuple[int, dict[str, Tensor]]:
        log.info("%s: decoding %s pictures to %d x %d, once", pictures.where, f"{len(image):,}", *size)
        broken = decode_all(pictures, image, size, color, interpolation)
        if broken:
            _tell(pictures, broken, skip_unreadable)
        kept = [i for i in range(len(image)) if i not in broken]
        digest = hashlib.sha256()
        for row, i in enumerate(kept):
            if row < i:
                image[row] = image[i]
            digest.update(image[row])
        return len(kept), {"kept": torch.tensor(kept), "sha256": torch.tensor(list(digest.digest()), dtype=torch.uint8)}

    try:
        return filled(dataset, key, "image", whole, fill)
    except OSError as error:
        log.warning("the cache can't be written (%s): the next start will decode again", error)
    what = f"{pictures.where}: {whole[0]:,} pictures of {size[0]} x {size[1]} pixels"
    require(int(np.prod(whole)), what, "make room in the cache (DLRUN_DATA), or make them smaller with dataset.size")
    image = np.empty(whole, np.uint8)
    count, beside = fill(image)
    return {"image": torch.from_numpy(image[:count]), **beside}


def _tell(pictures: Pictures, broken: dict[int, str], skip: bool) -> None:
    shown = "".join(f"\n  {pictures.names[i]}: {why}" for i, why in list(broken.items())[:SHOWN])
    more = f"\n  … and {len(broken) - SHOWN:,} more" if len(broken) > SHOWN else ""
    count = f"{pictures.where}: {len(broken):,} of {len(pictures.names):,} pictures can't be read"
    if skip:
        log.warning("%s and are left out:%s%s", count, shown, more)
        return
    way_out = "mend them or take them away, or leave them out by dataset.skip_unreadable=true"
    raise DataError(f"{count}; {way_out}:{shown}{more}")
