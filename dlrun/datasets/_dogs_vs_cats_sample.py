"""Cats and dogs drawn here: a stand-in for the photographs that needs no files."""

from __future__ import annotations

import numpy as np

from dlrun.datasets import _drawing

ROWS = {"train": 300, "test": 100}
"""A tenth of the book's; the last third for training is its validation part."""

NOISE = 20.0  # deviation in each colour of each pixel, of 255


def draw(size: tuple[int, int], seed: int = 0) -> dict[str, np.ndarray]:
    """`train_image` uint8 [300, *size, 3], `train_animal` float32 [300], 0 for a cat and 1 for a dog in turn, and the
    same for `test`. A cat's ears stand up and are pointed, a dog's are round and hang down; colours say nothing."""
    random = np.random.default_rng(seed)
    side = max(size)
    grain = _drawing.Grain(random, NOISE, side)
    columns: dict[str, np.ndarray] = {}
    for part, count in ROWS.items():
        animals = np.arange(count) % 2
        paper, fur = _drawing.two_colours(random, count)
        pictures = np.empty((count, *size, 3), np.uint8)
        for i, animal in enumerate(animals):
            canvas = np.full((side, side, 3), paper[i], np.float32)
            _head(canvas, bool(animal), random, fur[i], paper[i])
            pictures[i] = grain.developed(canvas)[: size[0], : size[1]]
        columns[f"{part}_image"] = pictures
        columns[f"{part}_animal"] = animals.astype(np.float32)
    return columns


def _head(canvas: np.ndarray, dog: bool, random: np.random.Generator, fur: np.ndarray, paper: np.ndarray) -> None:
    side = min(canvas.shape[:2])
    radius = side * random.uniform(0.2, 0.28)
    x, y = side * random.uniform(0.42, 0.58, 2)
    for left in (-1, 1):
        if dog:
            _drawing.paint(canvas, "circle", (x + left * 1.05 * radius, y + 0.1 * radius), 0.55 * radius, fur)
        else:
            _drawing.paint(canvas, "triangle", (x + left * 0.6 * radius, y - 0.95 * radius), 0.6 * radius, fur)
    _drawing.paint(canvas, "circle", (x, y), radius, fur)
    for left in (-1, 1):
        _drawing.paint(canvas, "circle", (x + left * 0.35 * radius, y - 0.2 * radius), 0.14 * radius, paper)
    _drawing.paint(canvas, "triangle", (x, y + 0.3 * radius), 0.2 * radius, paper, np.pi)
