"""How often baselines with chance in them are repeated, and from what."""

from __future__ import annotations

import torch

LARGE = 4_000_000  # numbers in one repetition: beyond it a score hardly varies, and ten would need much memory


def repetitions(numbers: int) -> int:
    """10, and 3 of very many predictions. numbers: in one repetition."""
    return 10 if numbers <= LARGE else 3


def generator(seed: int) -> torch.Generator:
    """A stream of its own for one baseline."""
    return torch.Generator().manual_seed(seed)
