"""Errors that a user can mend. Each carries its exit code; the command line prints them without a traceback."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


class DlrunError(Exception):
    """Base of all errors that are the user's to mend or the machine's to report."""

    exit_code = 4


@dataclass(frozen=True)
class Problem:
    """One thing wrong in a configuration.

    path: the dotted key it is about. message: expected and received. hint: nearest name, what is available,
    or where to change it. origin: where it stands (a command-line word, or file and line), filled in later.
    """

    path: str
    message: str
    hint: str = ""
    origin: str = ""


class ConfigError(DlrunError):
    """Everything wrong with a command or its configuration, reported together."""

    exit_code = 2

    def __init__(self, problems: Iterable[Problem] | Problem | str):
        if isinstance(problems, str):
            problems = [Problem("", problems)]
        self.problems = [problems] if isinstance(problems, Problem) else list(problems)
        super().__init__("; ".join(f"{p.path}: {p.message}" if p.path else p.message for p in self.problems))


class DataError(DlrunError):
    """Data that can't be had, read or trusted."""

    exit_code = 3


class RunError(DlrunError):
    """A run that failed: diverged, out of memory, disk full."""

    exit_code = 4


class BusyError(DlrunError):
    """Another process works on this run: come back later."""

    exit_code = 75


class Preempted(DlrunError):  # noqa: N818 - it is not an error of anybody
    """SIGTERM or SIGUSR1 arrived and the state is saved; the same command resumes."""

    exit_code = 75


class Interrupted(DlrunError):  # noqa: N818
    """Ctrl-C arrived and the state is saved; the same command resumes."""

    exit_code = 130


NEAR = 0.6
"""Of `difflib`'s ratio, from which a name is offered."""


def nearest(word: str, known: Iterable[str]) -> str:
    """`Did you mean 'x'?` with the nearest of `known`, or nothing when none is near. Upper and lower case are alike;
    of dotted keys in the same section only the last part is compared."""
    likeness, best = max(((_likeness(word.lower(), other.lower()), other) for other in known), default=(0.0, ""))
    return f"Did you mean '{best}'?" if likeness >= NEAR else ""


def _likeness(word: str, other: str) -> float:
    """0..1; of a word that another one begins with at least `NEAR`."""
    if word.startswith(f"{other}."):
        return 0.0  # the section itself
    section, _, last = word.rpartition(".")
    if section and other.startswith(f"{section}.") and "." not in other[len(section) + 1 :]:
        word, other = last, other[len(section) + 1 :]
    ratio = difflib.SequenceMatcher(None, other, word).ratio()
    return max(ratio, NEAR) if len(word) >= 3 and other.startswith(word) else ratio


def available(known: Iterable[str], most: int = 12) -> str:
    """`available: a, b, c`, cut after `most` names."""
    names = sorted(known)
    more = f" … ({len(names)} in all)" if len(names) > most else ""
    return "available: " + (", ".join(names[:most]) or "none") + more
