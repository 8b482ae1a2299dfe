"""Test rows cut off from a user's own data, which come as one heap."""

from __future__ import annotations

import codecs

import numpy as np

from dlrun.errors import ConfigError, DataError, Problem, nearest

SEED = 20_171_128
"""Of the draw of test rows: it is no `seed` of a run, for the test set stays the same whatever the run does."""


def cut(order: np.ndarray, test: float | int, last: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Training and test rows, each in the order given.

    order: int [N], all rows. test: a share (0..1) or a whole number of rows. last: those at the end, else
    random ones, always the same. Raises DataError where nothing would be left on a side.
    """
    n = len(order)
    count = round(test * n) if isinstance(test, float) else test
    if not test:
        return order, order[:0]
    if not 0 < count < n:
        if count and n > 1:
            raise DataError(f"dataset.test={test}: expected at most {n - 1:,} of {n:,} rows (0: no test rows)")
        way = "1 or 0" if n > 1 else "0"
        raise DataError(f"dataset.test={test}: too few for {n:,} rows. Set dataset.test={way} (0: no test rows)")
    if last:
        return order[: n - count], order[n - count :]
    held = np.zeros(n, bool)
    held[np.random.default_rng(SEED).permutation(n)[:count]] = True
    return order[~held], order[held]


def order_in_time(times: np.ndarray) -> np.ndarray:
    """Row numbers, earliest first; those of one time stay in their order."""
    return np.argsort(times, kind="stable")


def check_test(test: str | float | int) -> list[Problem]:
    """What is wrong with the argument `test`."""
    if isinstance(test, str) or (test >= 0 and (isinstance(test, int) or test < 1)):
        return []
    return [Problem("dataset.test", f"expected a share below 1 or a whole number of rows, received {test}")]


def check_path(path: str, what: str) -> list[Problem]:
    """`path` has no default that could work."""
    return [] if path else [Problem("dataset.path", f"missing: the path of {what}", "set dataset.path=…")]


def check_encoding(encoding: str) -> list[Problem]:
    """`encoding` must be one that Python has."""
    try:
        codecs.lookup(encoding)
    except LookupError:
        usual = ("utf-8", "latin-1", "cp1252", "iso8859-15", "mac-roman")
        hint = f"{nearest(encoding, usual)} usual are {', '.join(usual)}".strip()
        return [Problem("dataset.encoding", f"no text encoding is called '{encoding}'", hint)]
    return []


def check_source(source: str) -> list[Problem]:
    """A user's data can't be made up."""
    if source != "sample":
        return []
    return [Problem("dataset.source", "there is no sample of your own data", "use real, and a smaller dataset.path")]


def refuse(problems: list[Problem]) -> None:
    """All of them at once."""
    if problems:
        raise ConfigError(problems)
