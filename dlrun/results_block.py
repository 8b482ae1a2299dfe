"""The results block of an experiment's README: the table, the command, and what the figures come from."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from dlrun import environment
from dlrun.console import number
from dlrun.errors import ConfigError, Problem
from dlrun.files import write_text
from dlrun.reproducing import Done, Judged, what

BEGIN = "<!-- results: written by dlrun reproduce -->"
END = "<!-- end of results -->"


def results_file(folder: Path) -> Path:
    """The README of an experiment, if its results block can be written. Raises ConfigError."""
    readme = folder / "README.md"
    checkout = Path(__file__).parent.parent / "experiments"
    if checkout.resolve() != folder.parent.resolve() or not os.access(readme, os.W_OK):
        message = f"can't write results into {readme}: it is no file of a checkout, or is not writable"
        raise ConfigError(Problem("write", message, "leave write=true out, or run it in a checkout of dlrun"))
    if not _block(readme.read_text(encoding="utf-8")):
        raise ConfigError(Problem("write", f"no place for results in {readme}", f"put in two lines: {BEGIN} and {END}"))
    return readme


def write_block(readme: Path, block: str) -> None:
    """Put a new results block in the place of the old one."""
    text = readme.read_text(encoding="utf-8")
    start, stop = _block(text)
    write_text(readme, f"{text[:start]}\n{block}\n{text[stop:]}")


def _block(text: str) -> tuple[int, ...]:
    """Where what stands between the two markers begins and ends; empty when they are not there."""
    start, stop = text.find(BEGIN), text.find(END)
    return (start + len(BEGIN), stop) if 0 <= start < stop else ()


def markdown(command: str, judged: Sequence[Judged], done: Sequence[Done]) -> str:
    """The results block: table, command, and what the figures come from."""
    lines = ["| run | claim | book | ours, mean ± spread (n) | each seed | verdict |", "|---|---|---|---|---|---|"]
    for j in judged:
        run = f"`{j.claim.run}`" if j.claim.run else "demo"
        cells = [run, what(j.claim), number(j.claim.expected), j.measured, j.each, j.verdict]
        lines.append(f"| {' | '.join(c.replace('|', '/') for c in cells)} |")
    return "\n".join([*lines, "", f"`{command}`: {provenance(done)}"])


def provenance(done: Sequence[Done]) -> str:
    """Date, device, torch version, commit and seconds of training, as the runs themselves noted them."""
    made = [json.loads(d.folder.environment.read_text(encoding="utf-8")) for d in done]
    newest = max((d.folder.summary.stat().st_mtime for d in done), default=time.time())
    made = made or [environment.collect("CPU", {})]
    facts = [
        time.strftime("%Y-%m-%d", time.localtime(newest)),
        _all(e["device"] for e in made),
        "torch " + _all(e["versions"]["torch"] for e in made),
        "commit " + _all(_commit(e.get("dlrun", {})) for e in made),
    ]
    if done:
        facts.append(f"{len(done)} runs, {sum(d.summary['seconds'] for d in done):.0f} s of training")
    return ", ".join(facts) + "."


def _commit(git: dict[str, Any]) -> str:
    if not git:
        return "unknown"
    return git["commit"][:7] + (" with changes" if git["dirty"] else "")


def _all(values: Iterable[str]) -> str:
    return " and ".join(dict.fromkeys(values))
