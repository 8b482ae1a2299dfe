"""Picture files as arrays of one size, decoded by Pillow."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from dlrun.errors import Problem

if TYPE_CHECKING:
    from PIL.Image import Image

Color = Literal["rgb", "grey"]
Interpolation = Literal["nearest", "bilinear"]
"""`nearest`: each pixel of the result is one of the picture's. `bilinear`: the mean of all that it covers, those in the
middle counting most, so that nothing fine is lost to chance."""


class Pictures(Protocol):
    """Picture files in an order."""

    @property
    def where(self) -> str:
        """The folder or archive that they lie in."""
        ...

    @property
    def names(self) -> Sequence[str]:
        """As a person finds them in it."""
        ...

    def open(self, i: int) -> Path | IO[bytes]:
        """What Pillow reads the picture of that number from. Raises OSError."""
        ...


def check_size(size: int | list[int]) -> list[Problem]:
    """What is wrong with the argument `size`."""
    if isinstance(size, list) and len(size) != 2:
        return [Problem("dataset.size", f"expected one number or [height, width], received {size}")]
    return []


def height_and_width(size: int | list[int]) -> tuple[int, int]:
    """From one number, or both."""
    return (size[0], size[1]) if isinstance(size, list) else (size, size)


def shape(size: tuple[int, int], color: Color) -> tuple[int, ...]:
    """Of a decoded picture: [height, width, 3], or [height, width] in grey."""
    return (*size, 3) if color == "rgb" else size


def decode(
    source: Path | IO[bytes], size: tuple[int, int] | None, color: Color, interpolation: Interpolation = "bilinear"
) -> np.ndarray:
    """uint8 of `shape`. size: height, width; the picture is stretched to it, as in Keras; None for its own.

    Any number of colours becomes three or grey, 16 bits become 8, what is transparent becomes white, of several frames
    the first is taken. Raises OSError or ValueError where it can't be read.
    """
    from PIL import Image, ImageOps

    try:
        warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # what it warns of is refused here
        with Image.open(source) as opened:
            _refuse_huge(opened.size, Image.MAX_IMAGE_PIXELS)
            if size and interpolation == "bilinear":
                opened.draft("RGB" if color == "rgb" else "L", size[::-1])  # a JPEG in a size that is near is faster
            plain = _plain(ImageOps.exif_transpose(opened), opened.format or "", "RGB" if color == "rgb" else "L")
    except Image.DecompressionBombError:
        raise ValueError(_huge(Image.MAX_IMAGE_PIXELS)) from None
    except _Refused:
        raise
    except Exception as error:  # of a broken file, Pillow's readers say nearly anything
        if isinstance(error, OSError) and error.strerror:
            raise
        raise ValueError("it is no picture that can be read") from None
    if size is None:
        return np.asarray(plain)
    how = Image.Resampling.NEAREST if interpolation == "nearest" else Image.Resampling.BILINEAR
    return np.asarray(plain.resize(size[::-1], how))


def decode_all(
    pictures: Pictures, into: np.ndarray, size: tuple[int, int], color: Color, interpolation: Interpolation
) -> dict[int, str]:
    """Decode into uint8 [N, *shape]. Returns what is the matter with the pictures that can't be read, by number."""
    broken: dict[int, str] = {}

    def one(i: int) -> None:
        try:
            into[i] = decode(pictures.open(i), size, color, interpolation)
        except (OSError, ValueError) as error:
            broken[i] = reason(error)

    with ThreadPoolExecutor(min(os.cpu_count() or 1, 8)) as pool:
        list(pool.map(one, range(len(into))))
    return dict(sorted(broken.items()))


def reason(error: OSError | ValueError) -> str:
    """What is the matter, without the path, in one line."""
    return getattr(error, "strerror", None) or str(error)


class _Refused(ValueError):  # noqa: N818 - a reason, told by who catches it
    """Said by us, not by Pillow."""


def _refuse_huge(size: tuple[int, int], most: int | None) -> None:
    """A small file may hold a picture that fills the memory."""
    if most and size[0] * size[1] > most:
        raise _Refused(_huge(most))


def _huge(most: int | None) -> str:
    return f"it has more than {most or 0:,} pixels: make it smaller"


def _plain(picture: Image, kind: str, mode: str) -> Image:
    """In 8 bits a colour, without transparency."""
    from PIL import Image

    if picture.mode.startswith("I;16") or (picture.mode == "I" and kind == "PNG"):
        pixels: Any = np.asarray(picture).astype(np.float32) / 257
        picture = Image.fromarray(pixels.round().astype(np.uint8))
    elif picture.mode.startswith(("I", "F")):
        raise _Refused(f"its pixels are '{picture.mode}', expected 8 or 16 bits per colour: save it so")
    if "A" in picture.getbands() or "transparency" in picture.info:
        rgba = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return picture.convert(mode)
