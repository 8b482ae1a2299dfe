"""Digits drawn here: a stand-in for MNIST that needs no files."""

from __future__ import annotations

import numpy as np

ROWS = {"train": 6_000, "test": 1_000}
SIDE = 28  # pixels
CHUNK = 100  # pictures drawn at once: their intermediate values stay in the processor's cache

# Seven rows of five cells for each digit; a row's bits are its cells from left to right.
_FONT = """
01110 00100 01110 11111 00010 11111 00110 11111 01110 01110
10001 01100 10001 00010 00110 10000 01000 00001 10001 10001
10001 00100 00001 00100 01010 11110 10000 00010 10001 10001
10001 00100 00010 00010 10010 00001 11110 00100 01110 01111
10001 00100 00100 00001 11111 00001 10001 01000 10001 00001
10001 00100 01000 10001 00010 10001 10001 01000 10001 00010
01110 01110 11111 01110 00010 01110 01110 01000 01110 01100
"""


def glyphs() -> np.ndarray:
    """The font, float32 [10, 7, 5], 1 for ink."""
    rows = [[[int(bit) for bit in word] for word in line.split()] for line in _FONT.split("\n") if line]
    return np.array(rows, np.float32).transpose(1, 0, 2)


def draw(seed: int = 0) -> dict[str, np.ndarray]:
    """`train_image` uint8 [6000, 28, 28], `train_digit` int64 [6000], and the same for `test`."""
    random = np.random.default_rng(seed)
    columns = {}
    for part, count in ROWS.items():
        digits = random.integers(0, 10, count)
        pictures = [_pictures(some, random) for some in np.split(digits, count // CHUNK)]
        columns[f"{part}_image"] = np.concatenate(pictures)
        columns[f"{part}_digit"] = digits
    return columns


def _pictures(digits: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """uint8 [N, 28, 28]: each digit [N] shifted, scaled, slanted, thick or thin, with noise."""
    count = len(digits)

    def vary(low: float, high: float) -> np.ndarray:
        return random.uniform(low, high, (count, 1, 1)).astype(np.float32)

    centre = (SIDE - 1) / 2
    y = np.arange(SIDE, dtype=np.float32)[None, :, None] - centre - vary(-2.5, 2.5)
    x = np.arange(SIDE, dtype=np.float32)[None, None, :] - centre - vary(-2.5, 2.5)
    down = y / vary(2.2, 3.0) + 4.0  # pixels to cells of the padded font
    right = (x + vary(-0.3, 0.3) * y) / vary(2.2, 3.2) + 3.0
    ink = _interpolate(digits, down, right)
    ink = np.clip((ink - vary(0.3, 0.5)) * 4 + 0.5, 0, 1) * vary(0.7, 1.0)
    # int16 noise of at most 40 of 255 grey levels: cheaper than normal values, and enough.
    pictures = (ink * 255).astype(np.int16)
    pictures += random.integers(-40, 41, pictures.shape, np.int16)
    return np.clip(pictures, 0, 255).astype(np.uint8)


def _interpolate(digits: np.ndarray, down: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Bilinear values of the padded font at `down` [N, 28, 1] and `right` [N, 28, 28], in cells."""
    font = np.pad(glyphs(), ((0, 0), (1, 2), (1, 2)))
    height, width = font.shape[1:]
    down, right = np.clip(down, 0, height - 2), np.clip(right, 0, width - 2)
    top, left = down.astype(np.int32), right.astype(np.int32)
    below, beside = down - top, right - left
    flat = font.ravel()
    first = digits.astype(np.int32)[:, None, None] * (height * width) + top * width + left
    upper = flat[first] * (1 - beside) + flat[first + 1] * beside
    lower = flat[first + width] * (1 - beside) + flat[first + width + 1] * beside
    return np.asarray(upper * (1 - below) + lower * below)
