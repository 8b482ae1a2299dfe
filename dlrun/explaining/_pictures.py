"""Arrays as pictures, and PNG files."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Literal

import numpy as np
from torch import Tensor

from dlrun.contracts import Column
from dlrun.datasets._image_pixels import decode
from dlrun.explaining._subject import Subject, pixels
from dlrun.files import writing

Colours = Literal["viridis", "jet"]

VISIBLE = 224
"""Pixels that a single small map is enlarged to, at least."""


def coloured(values: np.ndarray, colours: Colours) -> np.ndarray:
    """uint8 [height, width] to [height, width, 3] by one of matplotlib's maps of colours."""
    import matplotlib

    table = matplotlib.colormaps[colours](np.arange(256), bytes=True)[:, :3]
    return np.asarray(table[values])


def levels(values: np.ndarray) -> np.ndarray:
    """0 to 1 as uint8."""
    return (255 * values).astype(np.uint8)


def spread(maps: np.ndarray) -> np.ndarray:
    """Each channel by itself made visible (listing 5-31): mean 128, deviation 64, cut to uint8.

    maps: float [height, width, channels]. A blank channel, whose values are all one, becomes 0: dark.
    """
    deviation = maps.std((0, 1))
    blank = is_blank(maps)
    scaled = (maps - maps.mean((0, 1))) / np.where(blank, 1.0, deviation) * 64 + 128
    return np.where(blank, 0.0, scaled.clip(0, 255)).astype(np.uint8)


def is_blank(maps: np.ndarray) -> np.ndarray:
    """bool [channels]: whether all values of a channel are one."""
    return np.asarray(maps.max((0, 1)) == maps.min((0, 1)))


def mosaic(maps: np.ndarray, per_row: int = 16) -> np.ndarray:
    """uint8 [height, width, channels] beside each other, without margins; what is left of the last row is 0."""
    height, width, channels = maps.shape
    rows = -(-channels // per_row)
    whole = np.zeros((height, width, rows * per_row), np.uint8)
    whole[..., :channels] = maps
    return whole.reshape(height, width, rows, per_row).transpose(2, 0, 3, 1).reshape(rows * height, per_row * width)


def enlarged(picture: np.ndarray, least: int = VISIBLE) -> np.ndarray:
    """Each pixel as a square of pixels, so that the shorter side has `least` or more."""
    times = -(-least // min(picture.shape[:2]))
    return picture.repeat(times, 0).repeat(times, 1)


def resized(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """float32 [h, w] to [height, width], linearly."""
    from PIL import Image

    picture = Image.fromarray(values.astype(np.float32))
    return np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR))


def overlaid(picture: np.ndarray, heatmap: np.ndarray, factor: float = 0.4) -> np.ndarray:
    """A heatmap of 0 to 1 in JET over a picture, uint8 [height, width, 3] of the picture's size (listing 5-44). What is
    brighter than white is cut, which the book leaves to OpenCV."""
    heat = resized(heatmap, *picture.shape[:2]).clip(0, 1)
    colours = coloured(levels(heat), "jet")
    return (colours * factor + picture).clip(0, 255).astype(np.uint8)


def seen(subject: Subject, raw: str, name: str, column: Column) -> np.ndarray:
    """The picture to draw over, uint8 [height, width, 3]: the user's file as it is, or, where it is none or was not
    simply stretched, what the net read of it, enlarged."""
    file = file_of(raw, name)
    if subject.stretched and file is not None:
        return decode(file, None, "rgb")
    assert isinstance(column, Tensor)
    return enlarged(pixels(column[0], subject.spec.inputs[name]))


def file_of(raw: str, name: str) -> Path | None:
    """The picture file of an input in what a user typed: a path, or a JSON object with one by name."""
    try:
        given = json.loads(raw)
    except ValueError:
        given = raw
    word = given.get(name) if isinstance(given, dict) else given
    try:
        return Path(word) if isinstance(word, str) and Path(word).is_file() else None
    except (OSError, ValueError):  # a name too long for any file
        return None


def called(raw: str, name: str) -> str:
    """The picture, in a title."""
    file = file_of(raw, name)
    return file.name if file else raw


def stem(raw: str, name: str) -> str:
    """What files about a picture are called by."""
    file = file_of(raw, name)
    return safe(file.stem if file else raw)


def safe(text: str) -> str:
    """As the name of a file."""
    return re.sub(r"[^\w.-]+", "_", text).strip("._")[:80] or "picture"


def save(path: Path, picture: np.ndarray) -> Path:
    """uint8 [height, width, 3] as PNG. Raises RunError."""
    from PIL import Image

    with writing(path) as aside:
        Image.fromarray(picture).save(aside, "PNG")
    return path
