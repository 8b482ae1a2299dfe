"""Picture files as arrays of one size, decoded by Pillow."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from dlrun.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

Color = Literal["rgb", "grey"]


def shape(size: tuple[int, int], color: Color) -> tuple[int, ...]:
    """Of a decoded picture: [3, height, width], or [height, width] in grey."""
    return (3, *size) if color == "rgb" else size


def decode(path: Path, size: tuple[int, int], color: Color) -> np.ndarray:
    """uint8 of `shape`. size: height, width; the picture is stretched to it (as in Keras, bilinear). What is
    transparent becomes white. Raises OSError or ValueError where it can't be read."""
    from PIL import Image, ImageOps

    mode = "RGB" if color == "rgb" else "L"
    kind = ""
    try:
        with Image.open(path) as opened:
            kind = opened.mode
            opened.draft(mode, (size[1], size[0]))  # a JPEG is read in a size that is near, which is faster
            upright = ImageOps.exif_transpose(opened)
            plain = _on_white(upright).convert(mode)
    except Image.DecompressionBombError:
        raise ValueError(f"it has more than {2 * (Image.MAX_IMAGE_PIXELS or 0):,} pixels: make it smaller") from None
    except Exception as error:  # of a broken file, Pillow's readers say nearly anything
        if isinstance(error, OSError) and error.strerror:
            raise
        raise ValueError("it is no picture that can be read") from None
    if kind.startswith(("I", "F")):
        raise ValueError(f"its pixels are '{kind}', expected 8 bits per colour: save it so")
    pixels = np.asarray(plain.resize((size[1], size[0]), Image.Resampling.BILINEAR))
    return pixels.transpose(2, 0, 1) if color == "rgb" else pixels


def decode_all(root: Path, files: Sequence[Path], size: tuple[int, int], color: Color) -> np.ndarray:
    """uint8 [N, *shape]. Raises DataError that names the pictures that can't be read."""
    pictures = np.empty((len(files), *shape(size, color)), np.uint8)
    broken = {}

    def one(i: int) -> None:
        try:
            pictures[i] = decode(root / files[i], size, color)
        except (OSError, ValueError) as error:
            broken[i] = reason(error)

    with ThreadPoolExecutor(min(os.cpu_count() or 1, 8)) as pool:
        list(pool.map(one, range(len(files))))
    if broken:
        shown = "".join(f"\n  {files[i]}: {broken[i]}" for i in sorted(broken)[:5])
        more = f"\n  … and {len(broken) - 5} more" if len(broken) > 5 else ""
        count = f"{len(broken):,} of {len(files):,} pictures can't be read"
        raise DataError(f"{root}: {count}; mend them or take them away:{shown}{more}")
    return pictures


def reason(error: OSError | ValueError) -> str:
    """What is the matter, without the path, in one line."""
    return getattr(error, "strerror", None) or str(error)


def _on_white(picture: Image) -> Image:
    from PIL import Image

    if "A" not in picture.getbands() and "transparency" not in picture.info:
        return picture
    rgba = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
