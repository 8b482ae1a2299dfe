"""the runs on disk as a table: filtered, sorted, with the columns you choose

  dlrun runs [task=T] [state=S] [data=real|sample] [seed=N] [where=CONDITIONS] [last=N]
             [sort=KEY] [columns=KEY,KEY…] [format=table|csv|json] [runs_dir=runs]

Columns: state, when, whether the data are real, seed, what was changed, validation and test results, seconds;
and, as `selected`, how many configurations have been scored on the same validation rows, for the best of many
is flattered by chance. In a pipe the columns are separated by tabs.
A state is `running`, `finished`, `failed`, `preempted`, `dead` when its process has stopped reporting, or
`unknown` when nothing was noted.

A KEY is any column (val.loss, seconds) or any key of a run's config (optimizer.lr).
  state= data= seed=   several with commas: state=failed,dead
  where=               conditions with = != < <= > >=, all of which must hold; separated by commas, or where=
                       given again. A run without such a value fulfils none. Quote < and >.
  last=N               the N newest of those
  sort=KEY             the best (newest) first, texts and config values upwards; sort=-KEY the other way round
  format=csv|json      every figure with all its digits

Examples
  dlrun runs
  dlrun runs task=imdb_dense sort=val.accuracy
  dlrun runs state=finished data=real 'where=val.accuracy>0.87,optimizer.name=rmsprop'
  dlrun runs 'where=architecture.units=[16,16]' columns=run,seed,optimizer.lr,val.loss sort=optimizer.lr
  dlrun runs last=20 sort=-seconds
  dlrun runs format=csv columns=run,test.accuracy
  dlrun runs sort=seconds | cut -f1,2,6
"""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

from dlrun import console, runs_table
from dlrun.commands._words import parse
from dlrun.console import number
from dlrun.errors import ConfigError, Problem, available, nearest
from dlrun.ledger import read
from dlrun.run_folder import all_folders
from dlrun.runs_table import TEXTS, WORDS, Line

KNOWN = {
    "task": "", "state": "", "data": "", "seed": "", "last": "", "sort": "", "columns": "", "format": "table",
    "runs_dir": "runs",
}  # fmt: skip
STATES = ("running", "finished", "failed", "preempted", "dead", "unknown")
FORMATS = ("table", "csv", "json")


def main(words: list[str]) -> int:
    """Print the table."""
    wheres = [w.partition("=")[2] for w in words if w.startswith("where=")]
    given = parse([w for w in words if not w.startswith("where=")], KNOWN)
    _check(given)
    runs_dir = Path(given["runs_dir"])
    folders = all_folders(runs_dir, given["task"] or None)
    if not folders and given["format"] == "table":
        console.say(f"no runs in {runs_dir / given['task']}; dlrun train task={given['task'] or '…'} makes one")
        return 0
    held = [c for word in wheres for c in runs_table.conditions(word)]
    there = runs_table.lines(folders)
    chosen = [c for c in given["columns"].split(",") if c]
    problems = runs_table.unknown("where", [c.key for c in held], there)
    problems += runs_table.unknown("sort", [given["sort"].removeprefix("-")] if given["sort"] else [], there)
    problems += runs_table.unknown("columns", chosen, there)
    if problems:
        raise ConfigError(problems)
    left = [line for line in there if _wanted(line, given) and all(c.holds(line) for c in held)]
    left = left[: int(given["last"] or len(left))]
    left = runs_table.ordered(left, given["sort"]) if given["sort"] else left
    columns = list(dict.fromkeys(chosen)) or runs_table.columns_of(left)
    rows = [[line.get(c) for c in columns] for line in left]
    if given["format"] != "table":
        if not console.out.quiet:
            print((_csv if given["format"] == "csv" else _json)(columns, rows), end="", file=console.out.file)
        return 0
    if not left:
        console.say(f"none of {len(there)} runs in {runs_dir / given['task']} fits these conditions")
        return 0
    _table(columns, rows, bool(chosen))
    if console.out.is_terminal:
        _remarks(left, runs_dir, given["task"])
    return 0


def _check(given: dict[str, str]) -> None:
    problems = []
    named = {"state": STATES, "data": ("real", "sample")}
    words = [(key, word, named[key]) for key in named if given[key] for word in given[key].split(",")]
    for key, word, known in [*words, ("format", given["format"], FORMATS)]:
        if word not in known:
            hint = f"{nearest(word, known)} {available(known)}".strip()
            problems.append(Problem(key, f"no such {key}: '{word}'", hint))
    if given["seed"] and not all(word.isdigit() for word in given["seed"].split(",")):
        problems.append(Problem("seed", f"expected whole numbers, received '{given['seed']}'"))
    if given["last"] and (not given["last"].isdigit() or int(given["last"]) < 1):
        problems.append(Problem("last", f"expected a number of runs, at least 1; received '{given['last']}'"))
    if problems:
        raise ConfigError(problems)


def _wanted(line: Line, given: dict[str, str]) -> bool:
    there = {"state": line.columns["state"].partition(" ")[0], **{k: str(line.columns[k]) for k in ("data", "seed")}}
    return all(not given[key] or value in given[key].split(",") for key, value in there.items())


def _table(columns: list[str], rows: list[list[Any]], chosen: bool) -> None:
    heads = {c: c.replace(".", ".\n") if console.out.is_terminal else c for c in columns}
    values = dict(zip(columns, zip(*rows, strict=True), strict=True))
    figures = [c for c in columns if c not in TEXTS and all(isinstance(v, int | float | None) for v in values[c])]
    rare = sorted((c for c in figures if "." in c), key=lambda c: sum(v is not None for v in values[c]))
    console.table(
        list(heads.values()),
        [[_shown(v) for v in row] for row in rows],
        right=[heads[c] for c in figures],
        whole=WORDS,
        optional=[] if chosen else ["when", "seconds", "selected", "seed", *(heads[c] for c in rare)],
    )


def _remarks(left: list[Line], runs_dir: Path, task: str) -> None:
    """Why runs failed, and how often test sets were opened."""
    for folder in [line.folder for line in left if line.columns["state"] == "failed"][:5]:
        console.say(f"{folder.path.name} failed: {folder.read_status().get('why', '')}; {folder.log}")
    openings = [e for e in read(runs_dir) if e["task"] == task or not task]
    if openings:
        times = "once" if len(openings) == 1 else f"{len(openings)} times"
        console.say(f"test sets were opened {times}: {runs_dir}/test_ledger.jsonl")


def _csv(columns: list[str], rows: list[list[Any]]) -> str:
    text = io.StringIO()
    plain = [[json.dumps(v) if isinstance(v, list | dict | bool) else v for v in row] for row in rows]
    csv.writer(text, lineterminator="\n").writerows([columns, *plain])
    return text.getvalue()


def _json(columns: list[str], rows: list[list[Any]]) -> str:
    """JSON has no NaN: null stands for it."""
    plain = [[None if isinstance(v, float) and not math.isfinite(v) else v for v in row] for row in rows]
    return json.dumps([dict(zip(columns, row, strict=True)) for row in plain], indent=2, ensure_ascii=False) + "\n"


def _shown(value: Any) -> str:
    return "" if value is None else number(value)
