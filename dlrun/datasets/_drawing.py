"""Shapes as pictures: what `shapes`, `stereo_pairs` and `listings` draw with."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

GRAIN = 2**20  # numbers that noise is taken from, again and again: new ones for each picture would take seconds

Plane = np.ndarray
"""float32 [H, W], a coordinate of each pixel in units of the shape's radius."""


def _box(x: Plane, y: Plane, width: float, height: float) -> Plane:
    return np.maximum(np.abs(x) - width, np.abs(y) - height)


def _plus(x: Plane, y: Plane) -> Plane:
    return np.minimum(_box(x, y, 1.0, 0.28), _box(x, y, 0.28, 1.0))


SHAPES: dict[str, Callable[[Plane, Plane], Plane]] = {
    "circle": lambda x, y: np.hypot(x, y) - 0.9,
    "square": lambda x, y: _box(x, y, 0.75, 0.75),
    "triangle": lambda x, y: np.maximum(-0.6 - y, 0.87 * np.abs(x) + 0.5 * y - 0.45),
    "ring": lambda x, y: np.abs(np.hypot(x, y) - 0.7) - 0.22,
    "plus": _plus,
    "diamond": lambda x, y: 0.71 * (np.abs(x) + np.abs(y) - 1.0),
    "cross": lambda x, y: _plus(0.71 * (x + y), 0.71 * (x - y)),
    "frame": lambda x, y: np.abs(_box(x, y, 0.58, 0.58)) - 0.18,
    "crescent": lambda x, y: np.maximum(np.hypot(x, y) - 0.9, 0.75 - np.hypot(x - 0.5, y)),
    "hourglass": lambda x, y: np.maximum(np.abs(y) - 0.85, np.abs(x) - np.abs(y)),
}
"""By name, how far a point is outside of the shape (inside below 0); x to the right and y up, within the radius 1."""


def paint(
    canvas: np.ndarray, shape: str, centre: tuple[float, float], radius: float, colour: np.ndarray, turn: float = 0.0
) -> None:
    """Paint a shape onto `canvas`, float32 [H, W, 3]; what lies outside of it is lost.

    centre: x to the right and y down, in pixels from the upper left corner. radius: in pixels. colour: [3]. turn:
    counter-clockwise in radians.
    """
    sides = zip(centre, (canvas.shape[1], canvas.shape[0]), strict=True)
    (left, right), (top, bottom) = ((max(int(c - radius) - 1, 0), min(int(c + radius) + 2, size)) for c, size in sides)
    if left >= right or top >= bottom:
        return
    across = ((np.arange(left, right, dtype=np.float32) + 0.5 - centre[0]) / radius)[None, :]
    up = ((centre[1] - np.arange(top, bottom, dtype=np.float32) - 0.5) / radius)[:, None]
    cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    outside = SHAPES[shape](cos * across + sin * up, cos * up - sin * across)
    covered = np.clip(0.5 - outside * np.float32(radius), 0, 1)[:, :, None]
    under = canvas[top:bottom, left:right]
    under += covered * (colour - under)


def two_colours(random: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Two colours float32 [n, 3] that are well apart in brightness, either one the brighter."""
    dark = random.uniform(10, 110, (n, 3)).astype(np.float32)
    bright = random.uniform(145, 245, (n, 3)).astype(np.float32)
    swap = random.random((n, 1)) < 0.5
    return np.where(swap, bright, dark), np.where(swap, dark, bright)


class Grain:
    """Noise of cameras, of a standard deviation of 255ths of the brightest."""

    def __init__(self, random: np.random.Generator, deviation: float, size: int):
        self._random, self._numbers = random, size * size * 3
        self._noise = np.float32(deviation) * random.standard_normal(GRAIN + self._numbers, np.float32)

    def developed(self, canvas: np.ndarray) -> np.ndarray:
        """`canvas`, float32 [size, size, 3] of 0 to 255, as uint8 with noise; it is changed."""
        start = int(self._random.integers(GRAIN))
        canvas += self._noise[start : start + self._numbers].reshape(canvas.shape)
        return np.clip(canvas, 0, 255, out=canvas).astype(np.uint8)
