"""What runs on disk offer to completion: their names, what they logged, columns of `dlrun runs`. Imports no torch."""

from __future__ import annotations

import itertools
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

MOST_READ = 50
"""Runs that are looked into, the newest; more would make Tab slow."""

HEAD = ("stage", "repeat", "fold", "epoch", "split")

COLUMNS = ("run", "state", "when", "data", "seed", "changed", "seconds", "selected")
"""Columns of `dlrun runs` that every run has."""


def run_names(runs_dir: Path) -> list[str]:
    """Tasks, and task/signature of every run."""
    folders = [f.parent for f in runs_dir.glob("*/*/config.yaml")]
    return sorted({f.parent.name for f in folders} | {f"{f.parent.name}/{f.name}" for f in folders})


def metrics(runs_dir: Path) -> list[str]:
    """What was logged: the values in the first two lines of each history, of training and of validation rows."""
    found: dict[str, None] = {}
    for file in _newest(runs_dir, "metrics.jsonl"):
        with suppress(OSError, ValueError), file.open(encoding="utf-8") as lines:
            for line in itertools.islice(lines, 2):
                found |= dict.fromkeys(n for n in json.loads(line) if n not in HEAD)
    return list(found)


def columns(runs_dir: Path) -> list[str]:
    """Columns of `dlrun runs`, with the results that are there."""
    found: dict[str, None] = {}
    for file in _newest(runs_dir, "summary.json"):
        with suppress(OSError, ValueError, AttributeError):
            summary: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            for part, values in summary["metrics"].items() if "metrics" in summary else ():
                found |= dict.fromkeys(f"{part}.{name}" for name in values if part in ("val", "test"))
    return [*COLUMNS, *sorted(found, key=lambda name: name.startswith("test."))]


def _newest(runs_dir: Path, name: str) -> list[Path]:
    times: dict[Path, float] = {}
    for file in runs_dir.glob(f"*/*/{name}"):
        with suppress(OSError):
            times[file] = file.stat().st_mtime
    return sorted(times, key=times.__getitem__, reverse=True)[:MOST_READ]
