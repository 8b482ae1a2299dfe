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


def nearest(word: str, known: Iterable[str]) -> str:
    """`Did you mean 'x'?` with the nearest of `known`, or nothing when none is near."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"Did you mean '{close[0]}'?" if close else ""


def available(known: Iterable[str], most: int = 12) -> str:
    """`available: a, b, c`, cut after `most` names."""
    names = sorted(known)
    more = f" … ({len(names)} in all)" if len(names) > most else ""
    return "available: " + (", ".join(names[:most]) or "none") + more
