"""The benchmarks' data for contenders other than dlrun: numpy only, straight from the original files."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np

WORDS, OFFSET, UNKNOWN = 10_000, 3, 2  # Keras's `imdb.load_data(num_words=10000)`


def find(dataset: str, file: str) -> Path:
    """A file of dlrun's cache or of its mirrors, where they are folders."""
    roots = [os.environ.get("DLRUN_DATA", Path.home() / ".cache" / "dlrun")]
    roots += os.environ.get("DLRUN_MIRROR", "").split()
    for root in roots:
        path = Path(root) / dataset / file
        if path.is_file():
            return path
    raise SystemExit(f"{dataset}/{file} is not cached: run `dlrun train` on it first, or set DLRUN_MIRROR")


def imdb(part: str = "train") -> tuple[np.ndarray, np.ndarray]:
    """Reviews as the book vectorises them (listing 3-2): float32 [25000, 10000] of 0 and 1, and [25000].

    In the order of Keras's `imdb.load_data`, which shuffles both parts with one generator.
    """
    rng, order = np.random.RandomState(113), {}
    for name in ("train", "test"):
        order[name] = np.arange(25_000)
        rng.shuffle(order[name])
    with np.load(find("imdb", "imdb.npz"), allow_pickle=True) as arrays:
        reviews = arrays[f"x_{part}"][order[part]]
        labels = arrays[f"y_{part}"][order[part]].astype(np.float32)
    x = np.zeros((len(reviews), WORDS), dtype=np.float32)
    for row, ranks in zip(x, reviews, strict=True):
        indices = np.array([1, *(r + OFFSET for r in ranks)])
        row[np.where(indices < WORDS, indices, UNKNOWN)] = 1
    return x, labels


def mnist(part: str = "train") -> tuple[np.ndarray, np.ndarray]:
    """Pictures as the book scales them (listing 2-4): float32 [N, 784] in 0..1, and classes int64 [N]."""
    pixels = _idx(f"{part}-images-idx3-ubyte.gz", 16).reshape(-1, 784)
    return pixels.astype(np.float32) / 255, _idx(f"{part}-labels-idx1-ubyte.gz", 8).astype(np.int64)


def boston() -> tuple[np.ndarray, np.ndarray]:
    """The training districts, standardised over all 404 (listing 3-25): float32 [404, 13], and prices [404].

    In the order of Keras's `boston_housing.load_data`, whose first 80 % they are.
    """
    with np.load(find("boston_housing", "boston_housing.npz")) as arrays:
        x, y = arrays["x"], arrays["y"]
    order = np.arange(len(x))
    np.random.RandomState(113).shuffle(order)
    rows = order[: int(0.8 * len(x))]
    x = x[rows]
    return ((x - x.mean(0)) / x.std(0)).astype(np.float32), y[rows].astype(np.float32)


def _idx(file: str, header: int) -> np.ndarray:
    return np.frombuffer(gzip.decompress(find("mnist", file).read_bytes()), dtype=np.uint8, offset=header)
