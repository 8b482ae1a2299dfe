"""Seeds derived from the run's seed and the name of their use: no state to carry, so resuming needs none."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager


def derive(seed: int, *use: str | int) -> int:
    """A 63-bit seed for one use, such as `derive(0, "shuffle", repeat, fold, epoch)`."""
    text = ":".join(map(str, (seed, *use)))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Torch's global CPU generator set to `seed` inside, and as it was outside."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
