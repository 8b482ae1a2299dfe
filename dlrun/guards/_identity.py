"""Rows as numbers: equal rows get the same one, so that copies are found by comparing numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dlrun.contracts import Bags, Rows, Stored, Windows
from dlrun.picking import pick_column

MOST_BYTES = 2**29
MOST_ROWS = 2_000_000
"""What is looked at, a second's work; of larger data a sample."""

BASE = 0x9E3779B97F4A7C15  # odd, so that it has an inverse modulo 2**64

CHUNK = 2**17  # numbers at a time: they stay in the processor's cache


@dataclass(frozen=True)
class Identities:
    """train: int64 [N], test: int64 [M] or None; equal numbers for equal input rows, -1 for rows that were not
    looked at. share: of the rows that were."""

    train: np.ndarray
    test: np.ndarray | None
    share: float


def identify(train: Rows, test: Rows | None, most_bytes: int = MOST_BYTES, most_rows: int = MOST_ROWS) -> Identities:
    """All inputs of a row count, its targets do not. Two different rows get one number once in 2**64 pairs."""
    parts = [train] if test is None else [train, test]
    size = sum(_bytes(column) for part in parts for column in part.inputs.values())
    count = sum(len(part) for part in parts)
    share = min(1.0, most_bytes / max(size, 1), most_rows / max(count, 1))
    random = np.random.default_rng(0)
    looked_at = [
        np.arange(len(part))
        if share == 1
        else np.sort(random.choice(len(part), round(share * len(part)), replace=False))
        for part in parts
    ]
    hashes = [_hashed(part, rows, share < 1) for part, rows in zip(parts, looked_at, strict=True)]
    _, numbers = np.unique(np.concatenate(hashes), return_inverse=True)
    found = []
    for part, rows in zip(parts, looked_at, strict=True):
        identity = np.full(len(part), -1)
        identity[rows], numbers = numbers[: len(rows)], numbers[len(rows) :]
        found.append(identity)
    return Identities(found[0], found[1] if test is not None else None, share)


def copies(of: np.ndarray, among: np.ndarray) -> int:
    """How many rows of one set of identities occur in another; those that were not looked at do not count."""
    there = np.zeros(max(of.max(initial=-1), among.max(initial=-1)) + 1, dtype=bool)
    there[among[among >= 0]] = True
    return int(there[of[of >= 0]].sum())


def _bytes(column: Stored) -> int:
    if isinstance(column, Windows):
        return _bytes(column.phases)  # all parts look into one
    values = column.values if isinstance(column, Bags) else column
    return values.numel() * values.element_size()


def _hashed(part: Rows, rows: np.ndarray, some: bool) -> np.ndarray:
    """uint64 [len(rows)]."""
    total = np.zeros(len(rows), np.uint64)
    for column in part.inputs.values():
        column = pick_column(column, rows) if some else column
        if isinstance(column, Bags):
            own = _of_bags(column)
        else:
            own = _of_windows(column) if isinstance(column, Windows) else _of_values(column)
        total = _mix(total + own)
    return total


def _of_values(column: Tensor) -> np.ndarray:
    """[N, ...] to uint64 [N], from the bytes of each row, eight at a time."""
    flat = column.reshape(len(column), 1) if column.ndim == 1 else column.flatten(1)
    data = flat.contiguous().view(torch.uint8).numpy()
    lanes = -(-data.shape[1] // 8)
    salt = _mix(np.arange(1, lanes + 1, dtype=np.uint64))  # the place of a number counts
    hashes = np.empty(len(data), np.uint64)
    step = max(1, CHUNK // max(lanes, 1))
    for first in range(0, len(data), step):
        some = data[first : first + step]
        padded = np.zeros((len(some), 8 * lanes), np.uint8)
        padded[:, : some.shape[1]] = some
        hashes[first : first + step] = _mix(padded.view(np.uint64) + salt).sum(1)
    return hashes


def _of_windows(windows: Windows) -> np.ndarray:
    """To uint64 [N], without making a window: a polynomial over the hashes h of the rows of the series, modulo 2**64,
    whose value for a window is a difference of two sums."""
    step, lines, _ = windows.phases.shape
    hashes = _of_values(windows.phases.flatten(0, 1)).reshape(step, lines)
    powers, inverses = (
        np.cumprod(np.append(np.uint64(1), np.full(lines, base, np.uint64))) for base in (BASE, pow(BASE, -1, 2**64))
    )
    sums = np.zeros((step, lines + 1), np.uint64)
    np.cumsum(hashes * powers[:-1], axis=1, out=sums[:, 1:])
    line, phase = np.divmod(windows.starts.numpy(), step)
    return _mix((sums[phase, line + windows.steps] - sums[phase, line]) * inverses[line])


def _of_bags(bags: Bags) -> np.ndarray:
    """To uint64 [N]; the order within a bag does not count, for it stands for a 0/1 vector."""
    offsets = bags.offsets.numpy()
    values = bags.values[: offsets[-1]].numpy()
    sums = np.zeros(len(values) + 1, np.uint64)
    for first in range(0, len(values), CHUNK):
        some = values[first : first + CHUNK].astype(np.uint64)
        sums[first + 1 : first + 1 + len(some)] = _mix(some + np.uint64(1))
    np.cumsum(sums, out=sums)
    return sums[offsets[1:]] - sums[offsets[:-1]]


def _mix(x: np.ndarray) -> np.ndarray:
    """In place, each number to one of all 2**64, one to one: the finaliser of splitmix64."""
    x ^= x >> np.uint64(30)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return x
