"""Some of the rows of a column, in a new column of the same kind."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from dlrun.contracts import Bags, Rows, Stored, Windows


def pick(rows: Rows, index: np.ndarray, inputs: bool = True) -> Rows:
    """The rows of `index`, int64 [n], in that order. inputs: False leaves them out, where only targets are needed."""
    chosen = torch.from_numpy(np.asarray(index, np.int64))
    return Rows(
        {name: pick_column(column, index) for name, column in rows.inputs.items()} if inputs else {},
        {name: target[chosen] for name, target in rows.targets.items()},
        None if rows.weights is None else rows.weights[chosen],
    )


def pick_column(column: Stored, index: np.ndarray) -> Stored:
    """[N, ...], `Bags` or `Windows` of N rows to the n rows of `index`; on the CPU."""
    if isinstance(column, Windows):
        return replace(column, starts=column.starts[torch.from_numpy(np.asarray(index, np.int64))])
    if not isinstance(column, Bags):
        return column[torch.from_numpy(np.asarray(index, np.int64))]
    offsets = column.offsets.numpy()
    lengths = offsets[index + 1] - offsets[index]
    ends = np.concatenate([[0], lengths.cumsum()])
    flat = np.arange(ends[-1]) + np.repeat(offsets[index] - ends[:-1], lengths)
    return Bags(column.values[torch.from_numpy(flat)], torch.from_numpy(ends))
