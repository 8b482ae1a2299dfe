"""What datasets have in common that are made rather than read: `line`, `points_2d`, `clock`."""

from __future__ import annotations

from typing import Literal

import numpy as np

from dlrun.datasets._files import Source

SEED = 7  # made data are the same in every run: `seed=` changes the model, not them


def resolve(source: Source) -> Literal["real", "sample"]:
    """These data are made by definition, there is no other real thing: `real` and `auto` are the made rows. They
    are the same rows with `sample`, marked as sample in every table because that is what was asked for."""
    return "sample" if source == "sample" else "real"


def generators() -> dict[str, np.random.Generator]:
    """A random stream for each part: their draws are independent of each other, and of the other part's length."""
    return {part: np.random.default_rng([SEED, i]) for i, part in enumerate(("train", "test"))}
