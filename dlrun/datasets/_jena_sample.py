"""Weather made here: a stand-in for the station in Jena that needs no files."""

from __future__ import annotations

import numpy as np

ROWS = 8_640  # every ten minutes, 60 days
DAY = 144  # rows

# For each column: mean, deviation, and how much it follows the air pressure, the warmth of the weather, and the hour.
COLUMNS = {
    "p (mbar)": (989.0, 8.0, 1.0, 0.0, 0.0),
    "T (degC)": (12.0, 7.0, 0.2, 0.8, 0.5),
    "Tpot (K)": (286.0, 7.0, 0.1, 0.8, 0.5),
    "Tdew (degC)": (6.0, 6.0, -0.1, 0.9, 0.1),
    "rh (%)": (72.0, 16.0, -0.3, -0.2, -0.8),
    "VPmax (mbar)": (15.0, 7.0, 0.2, 0.8, 0.5),
    "VPact (mbar)": (10.0, 4.0, -0.1, 0.9, 0.1),
    "VPdef (mbar)": (5.0, 5.0, 0.3, 0.5, 0.7),
    "sh (g/kg)": (6.3, 2.6, -0.1, 0.9, 0.1),
    "H2OC (mmol/mol)": (10.0, 4.2, -0.1, 0.9, 0.1),
    "rho (g/m**3)": (1205.0, 35.0, 0.3, -0.8, -0.5),
    "wv (m/s)": (2.2, 1.5, -0.4, 0.0, 0.3),
    "max. wv (m/s)": (3.6, 2.3, -0.4, 0.0, 0.3),
    "wd (deg)": (175.0, 85.0, -0.3, 0.2, 0.0),
}
NOISE = 0.1  # of a deviation


def make(seed: int = 0) -> np.ndarray:
    """float32 [8640, 14], in the ranges of the real columns: days, weather that comes and goes within two days or so,
    and an air pressure that tells a day ahead whether it will be warm."""
    random = np.random.default_rng(seed)
    pressure = _wandering(random, ROWS + DAY, 2 * DAY)
    warmth = 0.8 * pressure[:-DAY] + 0.6 * _wandering(random, ROWS, 2 * DAY)  # what the pressure was a day before
    hour = np.sin(2 * np.pi * (np.arange(ROWS) / DAY - 0.4))
    mean, deviation, *follows = np.array(list(COLUMNS.values())).T
    units = np.stack([pressure[DAY:], warmth, hour], 1) @ np.stack(follows)
    units += NOISE * random.standard_normal(units.shape)
    return (mean + deviation * units).astype(np.float32)


def _wandering(random: np.random.Generator, rows: int, memory: int) -> np.ndarray:
    """[rows], mean 0 and deviation 1, forgotten within `memory` rows."""
    shocks = random.standard_normal(rows + 5 * memory)
    kernel = np.exp(-np.arange(5 * memory) / memory)
    found = np.convolve(shocks, kernel, mode="valid")[:rows]
    return (found - found.mean()) / found.std()
