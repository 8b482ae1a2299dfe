"""Rows of numbers as a user types them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from dlrun.errors import DataError


def row(raw: str, names: Sequence[str]) -> Tensor:
    """`raw`, one number for each of `names` with commas between them, as float32 [1, len(names)].
    Raises DataError for another count, and for what is not a number or too large for one."""
    words = [word.strip() for word in raw.split(",")]
    wanted = f"expected {len(names)} number{'s with commas between them' if len(names) > 1 else ''}: {', '.join(names)}"
    if len(words) != len(names):
        raise DataError(f"{wanted}; received {len(words)} in {raw!r}")
    values = []
    for name, word in zip(names, words, strict=True):
        try:
            values.append(float(word))
        except ValueError:
            raise DataError(f"{wanted}; received {word!r} for {name}") from None
    found = torch.tensor([values], dtype=torch.float32)
    if not bool(found.isfinite().all()):
        raise DataError(f"{wanted}, each finite in float32; received {raw!r}")
    return found
