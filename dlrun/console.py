"""Every rich call. Rich gets `Text`, never markup: what comes from data or config is printed as it is."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dlrun.errors import ConfigError, DlrunError, Interrupted, Preempted, RunError
from dlrun.files import cant_write

log = logging.getLogger("dlrun")
out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

SAMPLE = "SAMPLE DATA, no result of the book"
"""What every table says whose figures come from sample data."""


class _Handler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        warns = record.levelno >= logging.WARNING
        _print(err, ("warning: " if warns else "", "yellow"), record.getMessage())


def configure(quiet: bool) -> None:
    """Messages to stderr; with `quiet` nothing is printed but errors."""
    out.quiet = quiet
    err.quiet = False
    log.handlers = [] if quiet else [_Handler(logging.INFO)]
    log.addHandler(logging.NullHandler())
    log.setLevel(logging.DEBUG)
    log.propagate = False


class _LogFile(logging.FileHandler):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """A disk too full for a message: the run's own error says so, once."""


@contextmanager
def logging_to(path: Path) -> Iterator[None]:
    """All messages into the run's `log.txt` too. Raises RunError where it can't be opened."""
    try:
        handler = _LogFile(path, encoding="utf-8")
    except OSError as error:
        raise RunError(cant_write(path, error)) from None
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s"))
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        with suppress(OSError):  # of messages that a full disk did not take
            handler.close()


def error(problem: DlrunError, trains: bool = False) -> None:
    """An error for the user: what is wrong, where, what to do; never a traceback. trains: whether the command does."""
    if not isinstance(problem, ConfigError):
        planned = isinstance(problem, Interrupted | Preempted)
        _print(err, ("" if planned else "error: ", "bold red"), str(problem))
        return
    n = len(problem.problems)
    count = "1 problem" if n == 1 else f"{n} problems"
    _print(err, (count, "bold red"), f" in this command{'; nothing was trained' if trains else ''}")
    for i, p in enumerate(problem.problems, 1):
        _print(err, f"\n{i}. ", (p.path, "bold"), ": " if p.path else "", p.message)
        for line in (p.hint, f"stands in: {p.origin}" if p.origin else ""):
            if line:
                _print(err, f"   {line}")


def say(text: str) -> None:
    """Plain text on stdout."""
    _print(out, text)


def _print(console: Console, *parts: str | tuple[str, str]) -> None:
    """Texts, some with a style. Lines are broken, between words, on a terminal only."""
    console.print(Text.assemble(*parts), soft_wrap=not console.is_terminal)


def table(
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    title: str = "",
    right: Sequence[str] = (),
    whole: Sequence[str] = (),
    optional: Sequence[str] = (),
    sample: bool = False,
) -> None:
    """A table; without a title tab-separated lines where stdout is no terminal, for other programs to read.

    right: columns of figures, aligned to the right. whole: columns that are never broken over lines; nor are
    figures. optional: columns to leave out, in this order, while the terminal is too narrow for all.
    sample: whether the figures come from sample data, which the title then says.
    """
    if not out.is_terminal and not title:
        for row in [columns, *rows] if not out.quiet else []:  # not by rich, which turns tabs into spaces
            print("\t".join(" ".join(str(v).split()) for v in row), file=out.file)
        return
    if title:
        _print(out, (title, "bold"), " · " if sample else "", (SAMPLE if sample else "", "bold yellow"))
    firm = (*right, *whole)
    width = out.width if out.is_terminal else max(120, _width(columns, columns, rows, firm))
    hidden: list[str] = []
    for name in optional:
        if _width([c for c in columns if c not in hidden], columns, rows, firm) > width and name in columns:
            hidden.append(name)
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        if column not in hidden:
            drawn.add_column(
                Text(column), justify="right" if column in right else "left", no_wrap=column in firm, overflow="fold"
            )
    for row in rows:
        drawn.add_row(*(Text(str(v)) for c, v in zip(columns, row, strict=True) if c not in hidden))
    if out.is_terminal:
        out.print(drawn)
    else:
        with (page := Console(highlight=False, width=width)).capture() as text:
            page.print(drawn)
        say("\n".join(line.rstrip() for line in text.get().splitlines()))
    if hidden:
        names = ", ".join(h.replace("\n", "") for h in hidden)
        say(f"not shown for want of width: {names}; a pipe has them all: | cat")


def _width(shown: Sequence[str], columns: Sequence[str], rows: Sequence[Sequence[Any]], firm: Sequence[str]) -> int:
    """Cells that a table needs: all of its firm columns, and 16 of each other one."""
    need = 2 * (len(shown) - 1)
    for i, column in enumerate(columns):
        if column in shown:
            widest = max(cell_len(line) for v in (column, *(r[i] for r in rows)) for line in str(v).split("\n"))
            need += widest if column in firm else min(widest, 16)
    return need


def number(value: Any) -> str:
    """A figure as tables show it: four significant digits, `-` for none."""
    if value is None:
        return "-"
    if not isinstance(value, float):
        return str(value)
    return f"{value:.0f}" if 1e4 <= abs(value) < 1e9 else f"{value:.4g}"


def wants_bar() -> bool:
    """Whether there is a terminal to draw a progress bar on, and nobody asked for silence."""
    return err.is_terminal and any(isinstance(handler, _Handler) for handler in log.handlers)
