"""Districts made here: a stand-in for the Boston table that needs no files."""

from __future__ import annotations

import numpy as np

ROWS = 506  # train and test together, cut as the real ones are

# For each column: least, mean, most, standard deviation, and how much it moves the price, in k$ per deviation.
# The moves are made up; column B has none.
_COLUMNS = {
    "CRIM": (0, 3.6, 90, 8.6, -1.0),
    "ZN": (0, 11, 100, 23, 1.0),
    "INDUS": (0, 11, 28, 6.9, 0.0),
    "CHAS": (0, 0.07, 1, 0.25, 0.7),
    "NOX": (0.38, 0.55, 0.88, 0.12, -2.0),
    "RM": (3.5, 6.3, 8.8, 0.7, 4.0),
    "AGE": (3, 69, 100, 28, 0.0),
    "DIS": (1.1, 3.8, 12.2, 2.1, -2.5),
    "RAD": (1, 9.5, 24, 8.7, 1.5),
    "TAX": (187, 408, 711, 168, -1.5),
    "PTRATIO": (12.6, 18.5, 22, 2.2, -2.0),
    "B": (0, 357, 397, 91, 0.0),
    "LSTAT": (1.7, 12.7, 38, 7.1, -4.0),
}
NOISE = 2.0  # k$, standard deviation


def make(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features [506, 13] in the ranges of the real ones, and prices [506] in k$, 5 to 50: most of a price follows
    from a weighted sum, and some of it from rooms and status together."""
    random = np.random.default_rng(seed)
    least, mean, most, deviation, move = np.array(list(_COLUMNS.values())).T
    common = random.standard_normal((ROWS, 3)) @ random.normal(0, 0.5, (3, len(mean)))  # columns that go together
    units = common + 0.7 * random.standard_normal((ROWS, len(mean)))
    features = np.clip(mean + deviation * units, least, most)
    river = list(_COLUMNS).index("CHAS")
    features[:, river] = units[:, river] > 1.5
    seen = (features - features.mean(axis=0)) / features.std(axis=0)
    rooms, status = (seen[:, list(_COLUMNS).index(name)] for name in ("RM", "LSTAT"))
    prices = 22.5 + seen @ move + 2.0 * np.maximum(rooms, 0) * np.maximum(-status, 0)
    return features, np.clip(prices + NOISE * random.standard_normal(ROWS), 5, 50)
