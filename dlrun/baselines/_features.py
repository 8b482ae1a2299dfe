"""Rows as the matrices that scikit-learn reads."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from dlrun.contracts import Bags, Rows, Stored, Windows
from dlrun.picking import pick

MOST_NUMBERS = 2**26
"""In a dense matrix to learn from: 256 MB."""

TOKENS = (torch.uint16, torch.int32, torch.int64)
"""What tokens, and nothing else, are stored in."""


def fewer(train: Rows, key: str, most_rows: int, seed: int) -> Rows:
    """At most `most_rows` of the rows, drawn at random, and fewer where they are wide. key: a target."""
    rows = len(train.targets[key])
    width = sum(column[0].numel() for column in train.inputs.values() if not isinstance(column, Bags) and rows)
    most = max(1, min(most_rows, MOST_NUMBERS // max(width, 1)))
    if rows <= most:
        return train
    return pick(train, np.sort(np.random.default_rng(seed).choice(rows, most, replace=False)))


def matrices(train: Rows, scored: Rows) -> tuple[Any, Any]:
    """All inputs side by side, float32 [N, V] and [M, V]; sparse where there are multi-hot ones or tokens.

    Of tokens it is how often each occurs in a row. Values are flattened and standardised by the training rows; a
    missing one (NaN) becomes their mean.
    """
    from scipy import sparse

    pairs = []
    for name, column in train.inputs.items():
        other = scored.inputs[name]
        if isinstance(column, Bags):
            assert isinstance(other, Bags)
            width = 1 + max((int(b.values.max()) for b in (column, other) if len(b.values)), default=0)
            pairs.append((_sparse(column, width), _sparse(other, width)))
            continue
        column, other = _tensor(column), _tensor(other)
        if column.dtype in TOKENS:
            width = 1 + max((int(c.numpy().max()) for c in (column, other) if c.numel()), default=0)
            pairs.append((_counts(column, width), _counts(other, width)))
        else:
            pairs.append(_standardised(_flat(column), _flat(other)))
    if len(pairs) == 1:
        return pairs[0]
    stack: Any = sparse.hstack if any(sparse.issparse(learned) for learned, _ in pairs) else np.hstack
    left, right = (stack([pair[side] for pair in pairs]) for side in (0, 1))
    return (left.tocsr(), right.tocsr()) if sparse.issparse(left) else (left, right)


def _tensor(column: Stored) -> Tensor:
    assert not isinstance(column, Bags)
    return column.of(torch.arange(len(column))) if isinstance(column, Windows) else column


def _flat(column: Tensor) -> np.ndarray:
    """A float32 copy [N, V]."""
    return (column.flatten(1) if column.ndim > 1 else column[:, None]).numpy().astype(np.float32)


def _standardised(train: np.ndarray, scored: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """In place. What does not vary becomes 0."""
    count = np.maximum((~np.isnan(train)).sum(0), 1)
    mean = np.nansum(train, 0, dtype=np.float64) / count
    for side in (train, scored):
        side -= mean.astype(np.float32)
        np.nan_to_num(side, copy=False)
    deviation = np.sqrt(np.square(train).sum(0, dtype=np.float64) / count)
    scale = np.where(deviation > 1e-6 * np.maximum(np.abs(mean), 1e-30), deviation, np.inf).astype(np.float32)
    for side in (train, scored):
        side /= scale
    return train, scored


def _sparse(bags: Bags, width: int) -> Any:
    from scipy.sparse import csr_matrix

    offsets = bags.offsets.numpy()
    values = bags.values[: offsets[-1]].numpy()
    return csr_matrix((np.ones(len(values), np.float32), values, offsets), shape=(len(offsets) - 1, width))


def _counts(tokens: Tensor, width: int) -> Any:
    from scipy.sparse import csr_matrix

    rows, length = len(tokens), tokens[:1].numel()
    values = tokens.numpy().astype(np.int32).ravel()
    ends = np.arange(rows + 1) * length
    counts = csr_matrix((np.ones(len(values), np.float32), values, ends), shape=(rows, width))
    counts.sum_duplicates()
    return counts
