"""Batches of windows of a series as long as the book's: dlrun's loader against the generator of listing 6-33."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks._measure import Result, Row, short, spread
from dlrun.datasets import _series
from dlrun.datasets._series import Cut
from dlrun.loaders import Loader

ROWS, CHANNELS, BATCH, BATCHES = 420_551, 14, 128, 500
CUT = Cut(1440, 6, 144, 1, False, [0, 200_000], [200_001, 300_000], [300_001, None], 128)


def run(rounds: int) -> Result:
    """In turns, one thread each; and what the windows keep in memory beyond the bare interpreter."""
    torch.set_num_threads(1)
    before = _resident()
    ours, loader = _ours()
    _rate(ours)
    kept, alone = _resident() - before, 4 * ROWS * CHANNELS
    generator = _generator(np.random.default_rng(0).standard_normal((ROWS, CHANNELS)))
    _rate(lambda: generator)
    rates: dict[str, list[float]] = {"dlrun": [], "the book's generator": []}
    for _ in range(rounds):
        rates["dlrun"].append(_rate(ours))
        rates["the book's generator"].append(_rate(lambda: generator))
    factor = [a / b for a, b in zip(*rates.values(), strict=True)]
    share = kept / alone
    return Result(
        [
            Row(
                "windows of 240 x 14 a second, one thread: dlrun against the generator of listing 6-33",
                " against ".join(spread(values) for values in rates.values()),
                f"{spread(factor)} x as many",
                "at least 10 x as many",
                float(np.median(factor)) >= 10,
            ),
            Row(
                "420,551 rows of weather, all windows and a loader after an epoch: memory",
                f"{kept / 1e6:.0f} MB, the series alone {alone / 1e6:.0f} MB",
                f"{short(share)} x the series",
                "at most 3 x",
                share <= 3,
            ),
        ],
        {"windows_per_second": rates, "bytes": kept, "windows": len(loader.index[0])},
    )


def _ours() -> tuple[Callable[[], Iterator[Any]], Loader]:
    series = torch.randn(ROWS, CHANNELS)
    names = [str(i) for i in range(CHANNELS)]
    known = _series.spec(CUT, names, "1", ("series", "y"), "", "train", {})
    data = _series.data(CUT, known, series, series[:, 1], "sample", {})
    rows = [np.arange(len(data.train) - data.validation)]
    loader = Loader(data.train, known, rows, BATCH, torch.float32, [0], BATCHES, replacement=True)
    return lambda: loader.epoch(1), loader


def _generator(data: np.ndarray) -> Iterator[Any]:
    """Each window copied into a new array of doubles, as the book has it."""
    random = np.random.RandomState(0)
    while True:
        references = random.randint(CUT.lookback, 200_000, size=BATCH)
        windows = np.zeros((BATCH, CUT.steps, CHANNELS))
        targets = np.zeros(BATCH)
        for i, row in enumerate(references):
            windows[i] = data[range(row - CUT.lookback, row, CUT.step)]
            targets[i] = data[row + CUT.delay][1]
        yield windows, targets


def _rate(batches: Callable[[], Iterator[Any]]) -> float:
    """Windows per second over `BATCHES` batches."""
    made = batches()
    began = time.perf_counter()
    for _ in range(BATCHES):
        next(made)
    return BATCHES * BATCH / (time.perf_counter() - began)


def _resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
