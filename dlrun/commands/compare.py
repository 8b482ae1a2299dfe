"""several runs over each other: curves, best values, overfitting, and what differs

  dlrun compare R R… [metric=loss] [split=val|train] [skip=0] [smooth=0.0] [all=false]
                [output=compare.png] [runs_dir=runs]

R is a path, a signature (four digits are enough), task/signature, or a task (its newest finished run); a run
that has not finished is taken as far as it got. With all=true a task stands for all of its finished runs.

Prints, for each metric, the first, last and best value on validation and training rows, the mean over the
splits, with the epoch of the best; then what each run is and, as `overfits after`, the epoch of its lowest
validation loss where that loss ends more than 2 % above it, else `none`; then the config keys that differ.
Of metrics, callbacks, guards and baselines one line has the names, where these differ.
The chart has the first run as crosses and a second one as dots. With more runs the others are lines, told
apart by colours and marks; curves of more than 40 epochs are lines with fewer marks.
A band is one standard deviation over splits.

  metric=A,B           what to compare, each in a panel of its own
  split=train          training instead of validation curves
  skip=N               leave the first N epochs out; the axis keeps the true epochs
  smooth=F             exponential moving average: F times the previous result, 1 - F times the point
                       skip and smooth are for the chart and for `overfits after`; other values are as trained

Examples
  dlrun compare imdb_dense imdb_small
  dlrun compare imdb_dense imdb_small imdb_big split=train output=figure_4_6.png
  dlrun compare imdb_dense/0a1b 77fe metric=loss,accuracy
  dlrun compare boston_dense_long boston_dense metric=mae skip=10 smooth=0.9
  dlrun compare imdb_dense all=true
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlrun import console
from dlrun.commands._words import parse, split_plugins
from dlrun.console import number
from dlrun.errors import ConfigError, Problem, available, nearest

if TYPE_CHECKING:
    from dlrun.comparing import Compared

KNOWN = {
    "metric": "loss", "split": "val", "skip": "0", "smooth": "0", "all": "false", "output": "compare.png",
    "runs_dir": "runs",
}  # fmt: skip


def main(words: list[str]) -> int:
    """Print the tables, write the chart."""
    words = split_plugins(words)
    named = [w for w in words if "=" not in w and not w.startswith("-")]
    given = parse([w for w in words if w not in named], KNOWN)
    factor = _check(given)
    from dlrun import comparing
    from dlrun.differing import differences
    from dlrun.overlay import draw

    runs = comparing.read(named, Path(given["runs_dir"]), given["all"] == "true")
    part, skip, metrics = given["split"], int(given["skip"]), list(dict.fromkeys(given["metric"].split(",")))
    _check_runs(runs, metrics, part, skip)
    path = Path(given["output"])
    draw(runs, metrics, part, path, skip, factor)
    for metric in metrics:
        _values(runs, metric)
    _runs(runs, skip, factor)
    if different := differences([run.config for run in runs]):
        columns = ["config key", *(run.label for run in runs)]
        console.table(columns, different, title="\nWhat differs in the configs", whole=["config key"])
    console.say(f"\nchart: {path}")
    return 0


def _check(given: dict[str, str]) -> float:
    """The smoothing factor, where all words are right. Raises ConfigError."""
    problems = []
    for key, known in (("split", ("val", "train")), ("all", ("true", "false"))):
        if given[key] not in known:
            problems.append(Problem(key, f"expected {' or '.join(known)}, received '{given[key]}'"))
    if not given["skip"].isdigit():
        problems.append(Problem("skip", f"expected a number of epochs, received '{given['skip']}'"))
    try:
        factor = float(given["smooth"])
    except ValueError:
        factor = -1.0
    if not 0 <= factor < 1:
        problems.append(Problem("smooth", f"expected a number from 0 to below 1, received '{given['smooth']}'"))
    if not given["output"].endswith(".png"):
        problems.append(Problem("output", f"expected the name of a .png file, received '{given['output']}'"))
    if problems:
        raise ConfigError(problems)
    return factor


def _check_runs(runs: list[Compared], metrics: list[str], part: str, skip: int) -> None:
    """Whether every run has what is to be drawn. Raises ConfigError, with one problem for all runs that share it."""
    lacking: dict[tuple[str, str, str], list[str]] = {}
    short: dict[str, int] = {}
    for run in runs:
        there = run.metrics(part)
        if not run.rows:
            lacking.setdefault(("", "no epoch yet", f"it is: {run.state}; dlrun runs"), []).append(run.name)
        elif not there:
            other = "train" if part == "val" else "val"
            hint = f"split={other} compares what it has"
            lacking.setdefault(("split", f"no {part} rows", hint), []).append(run.name)
        for metric in metrics if there else []:
            curve = run.curve(part, metric)
            if curve is None:
                hint = f"{nearest(metric, there)} {available(there)}".strip()
                lacking.setdefault(("metric", f"no '{metric}' on {part} rows", hint), []).append(run.name)
            elif len(curve.epochs) <= skip:
                short[run.name] = len(curve.epochs)
    problems = [
        Problem(path, f"{_these(names)} {'has' if len(names) == 1 else 'have'} {what}", hint)
        for (path, what, hint), names in lacking.items()
    ]
    if short:
        problems.append(
            Problem("skip", f"{skip} leaves nothing of {_these(list(short))}: {max(short.values())} epochs at most")
        )
    if problems:
        raise ConfigError(problems)


def _these(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 3 else f"{', '.join(names[:3])} and {len(names) - 3} more"


def _values(runs: list[Compared], metric: str) -> None:
    from dlrun.comparing import upwards

    columns = ["run", *(f"{p} \n{what}" for p in ("val", "train") for what in ("first", "last", "best", "at epoch"))]
    rows = []
    for run in runs:
        more_is_better = upwards(run.config, metric)
        if more_is_better is None:
            console.log.warning("%s: what it was trained on can't be built here: the best %s is unknown",
                                run.name, metric)  # fmt: skip
        row: list[Any] = [run.marked]
        for part in ("val", "train"):
            curve = run.curve(part, metric)
            if curve is None:
                row += ["-"] * 4
                continue
            best = None if more_is_better is None else curve.best(more_is_better)
            epoch, value = best or (None, None)
            row += [number(v) for v in (float(curve.mean[0]), float(curve.mean[-1]), value, epoch)]
        rows.append(row)
    figures, sample = columns[1:], any(run.sample for run in runs)
    console.table(columns, rows, title=f"\n{metric}", right=figures, whole=["run"], optional=figures[:3:-1],
                  sample=sample)  # fmt: skip


def _runs(runs: list[Compared], skip: int, factor: float) -> None:
    tests = [run.summary.get("metrics", {}).get("test", {}) for run in runs]
    tested = list(dict.fromkeys(name for test in tests for name in test))
    columns = ["run", "overfits \nafter", *(f"test \n{name}" for name in tested), "epochs", "splits", "parameters"]
    columns += ["seconds \nper epoch", "state", "folder"]
    rows = []
    for run, test in zip(runs, tests, strict=True):
        trained = run.curve("train", "loss")
        size = run.summary.get("parameters", {}).get("total")
        epochs, splits = (len(trained.epochs), trained.splits) if trained else (0, 0)
        row = [run.marked, _onset(run, skip, factor), *(number(test.get(name)) for name in tested), epochs, splits]
        row += [f"{size:,}" if size else "-", number(run.summary.get("seconds_per_epoch")), run.state, run.name]
        rows.append(row)
    figures = [c for c in columns if c not in ("run", "folder", "state")]
    drop = ["seconds \nper epoch", "splits", "state", "parameters", "epochs", "folder"]
    console.table(columns, rows, title="\nRuns", right=figures, whole=["run", "folder"], optional=drop,
                  sample=any(run.sample for run in runs))  # fmt: skip


def _onset(run: Compared, skip: int, factor: float) -> str:
    from dlrun.comparing import onset

    curve = run.curve("val", "loss")
    if curve is None or len(curve.epochs) < max(2, skip + 1):
        return "-"
    epoch = onset(curve.without(skip).smoothed(factor))
    return "none" if epoch is None else str(epoch)
