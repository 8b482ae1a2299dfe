"""Every rich call. Text that comes from data or config is escaped before rich prints it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dlrun.errors import ConfigError, DlrunError

log = logging.getLogger("dlrun")
out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


class _Handler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        text = escape(record.getMessage())
        if record.levelno >= logging.WARNING:
            text = f"[yellow]warning:[/] {text}"
        err.print(text, soft_wrap=True)


def configure(quiet: bool) -> None:
    """Messages to stderr; with `quiet` nothing is printed but errors."""
    out.quiet = quiet
    err.quiet = False
    log.handlers = [] if quiet else [_Handler(logging.INFO)]
    log.addHandler(logging.NullHandler())
    log.setLevel(logging.DEBUG)
    log.propagate = False


@contextmanager
def logging_to(path: Path) -> Iterator[None]:
    """All messages into the run's `log.txt` too."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s"))
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        handler.close()


def error(problem: DlrunError) -> None:
    """An error for the user: what is wrong, where, what to do; never a traceback."""
    if not isinstance(problem, ConfigError):
        err.print(f"[bold red]error:[/] {escape(str(problem))}", soft_wrap=True)
        return
    n = len(problem.problems)
    count = "1 problem" if n == 1 else f"{n} problems"
    err.print(f"[bold red]{count}[/] in this command; nothing was read or written", soft_wrap=True)
    for i, p in enumerate(problem.problems, 1):
        name = f"[bold]{escape(p.path)}[/]: " if p.path else ""
        err.print(f"\n{i}. {name}{escape(p.message)}", soft_wrap=True)
        for line in (p.hint, f"stands in: {p.origin}" if p.origin else ""):
            if line:
                err.print(f"   {escape(line)}", soft_wrap=True)


def say(text: str) -> None:
    """One line of plain text on stdout."""
    out.print(escape(text), soft_wrap=True)


def table(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], title: str = "", right: Sequence[str] = ()
) -> None:
    """A table; tab-separated lines where stdout is no terminal, so that other programs can read it whole.

    right: columns to align to the right.
    """
    if not out.is_terminal and not title:
        for row in [columns, *rows]:
            out.print("\t".join(str(v) for v in row), soft_wrap=True, markup=False)
        return
    drawn = Table(title=escape(title) or None, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        drawn.add_column(escape(column), justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(escape(str(v)) for v in row))
    Console(highlight=False, quiet=out.quiet, width=None if out.is_terminal else 120).print(drawn)


def number(value: Any) -> str:
    """A figure as tables show it: four significant digits, `-` for none."""
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def wants_bar() -> bool:
    """Whether there is a terminal to draw a progress bar on, and nobody asked for silence."""
    return err.is_terminal and any(isinstance(handler, _Handler) for handler in log.handlers)
