"""the runs on disk as a table

  dlrun runs [task=T] [sort=KEY] [runs_dir=runs]

Columns: state, when, whether the data are real, seed, what was changed, validation and test results, seconds;
and, as `selected`, how many configurations have been scored on the same validation rows, for the best of many
is flattered by chance. sort= takes any column; the best comes first. In a pipe the columns are separated by
tabs.
A state is `running`, `finished`, `failed`, `preempted`, or `dead` when its process has stopped reporting.

Examples
  dlrun runs
  dlrun runs task=imdb_dense sort=val.accuracy
  dlrun runs sort=seconds | cut -f1,2,6
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import yaml

from dlrun import console
from dlrun.commands._words import parse
from dlrun.console import number
from dlrun.errors import ConfigError, Problem, nearest
from dlrun.run_folder import RunFolder, all_folders

WORDS = ("run", "state", "when", "data")
SAID = ("task", "seed", "runs_dir", "rerun", "dataset.source")


def main(words: list[str]) -> int:
    """Print the table."""
    given = parse(words, {"task": "", "sort": "", "runs_dir": "runs"})
    runs_dir = Path(given["runs_dir"])
    folders = all_folders(runs_dir, given["task"] or None)
    if not folders:
        console.say(f"no runs in {runs_dir / given['task']}; dlrun train task={given['task'] or '…'} makes one")
        return 0
    from dlrun.ledger import read, selected_on, validation_id

    configs = {f.path: yaml.safe_load(f.config.read_text(encoding="utf-8")) for f in folders}
    chosen = selected_on([c for f, c in configs.items() if "." not in f.name])
    rows = []
    for folder in folders:
        config, summary = configs[folder.path], folder.read_summary() or {}
        metrics = summary.get("metrics", {})
        rows.append(
            {
                "run": f"{folder.path.parent.name}/{folder.path.name}",
                "state": state_of(folder),
                "when": time.strftime("%Y-%m-%d %H:%M", time.localtime(folder.config.stat().st_mtime)),
                "data": config["dataset"]["source"],
                "seed": config["seed"],
                "changed": changes(folder),
                **{f"val.{n}": v["mean"] for n, v in metrics.get("val", {}).items()},
                **{f"test.{n}": v for n, v in metrics.get("test", {}).items()},
                "seconds": summary.get("seconds"),
                "selected": chosen.get(validation_id(config), 0) if metrics.get("val") else None,
            }
        )
    columns = list(dict.fromkeys(name for row in rows for name in row))
    columns.sort(key=_order)
    rows = _sorted(rows, given["sort"], columns)
    heads = {c: c.replace(".", ".\n") if console.out.is_terminal else c for c in columns}
    figures = [c for c in columns if c not in (*WORDS, "changed")]
    rare = sorted((c for c in figures if "." in c), key=lambda c: sum(row.get(c) is not None for row in rows))
    console.table(
        list(heads.values()),
        [[_shown(row.get(c)) for c in columns] for row in rows],
        right=[heads[c] for c in figures],
        whole=WORDS,
        optional=["when", "seconds", "selected", "seed", *(heads[c] for c in rare)],
    )
    openings = [e for e in read(runs_dir) if e["task"] == given["task"] or not given["task"]]
    if console.out.is_terminal:
        for folder in [f for f in folders if f.read_status().get("state") == "failed"][:5]:
            console.say(f"{folder.path.name} failed: {folder.read_status().get('why', '')}; {folder.log}")
        if openings:
            times = "once" if len(openings) == 1 else f"{len(openings)} times"
            console.say(f"test sets were opened {times}: {runs_dir}/test_ledger.jsonl")
    return 0


def state_of(folder: RunFolder) -> str:
    """State, and how far a run under way is."""
    status = folder.read_status()
    state = str(status.get("state", "unknown"))
    if state == "running" and "epoch" in status:
        return f"running {status['stage']} {status['epoch']}/{status['epochs']}"
    return state


def changes(folder: RunFolder) -> str:
    """The overrides that made this run, less what other columns say."""
    try:
        words = yaml.safe_load(folder.overrides.read_text(encoding="utf-8")) or []
    except OSError:
        return ""
    return " ".join(w for w in words if w.partition("=")[0] not in SAID)


def _order(column: str) -> int:
    first = (*WORDS, "seed", "changed")
    if column in first:
        return first.index(column)
    return 10 + 10 * (column.startswith("test.")) + 20 * (column == "seconds") + 30 * (column == "selected")


def _sorted(rows: list[dict[str, Any]], key: str, columns: list[str]) -> list[dict[str, Any]]:
    if not key:
        return rows
    if key not in columns:
        hint = f"{nearest(key, columns)} available: {', '.join(columns)}".strip()
        raise ConfigError(Problem("sort", f"no column '{key}'", hint))
    upwards = "loss" in key or "mae" in key or "mse" in key or key in ("run", "seed", "seconds")
    there = [r for r in rows if r.get(key) is not None]
    there.sort(key=lambda r: r[key], reverse=not upwards)
    return there + [r for r in rows if r.get(key) is None]


def _shown(value: Any) -> str:
    return "" if value is None else number(value)
