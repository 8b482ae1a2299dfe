"""What a finished run shows: result, baseline, the book's figure, and where the files are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlrun import console
from dlrun.console import number


def report(summary: dict[str, Any], runs_dir: Path) -> None:
    """The closing table on stdout."""
    folder = runs_dir / summary["task"] / summary["signature"]
    title = f"{summary['task']} · seed {summary['seed']} · {summary['device']} · {summary['seconds']:.1f} s"
    if summary["data_source"] == "sample":
        title += " · SAMPLE DATA, no result of the book"
    val, test, baseline = summary["metrics"]["val"], summary["metrics"]["test"], summary["baseline"]
    columns = ["", *(["validation", "best epoch"] if val else []), *(["test"] if test else []), "baseline"]
    rows = []
    for name in dict.fromkeys([*val, *test]):
        row: list[str] = [name]
        if val:
            row += [_spread(val[name]), str(val[name]["best_epoch"])] if name in val else ["-", "-"]
        if test:
            row.append(number(test.get(name)))
        base = baseline.get(name)
        rows.append([*row, f"{number(base['value'])} ({base['kind']})" if base else "-"])
    console.table(columns, rows, title=title, right=columns[1:])
    for claim in summary["book"]:
        console.say(
            f"book: {claim['claim']}: {number(claim['expected'])}, ours {number(claim['measured'])}: {claim['verdict']}"
        )
    if summary.get("remark"):
        console.say(summary["remark"])
    console.say(f"files: {folder}/  (summary.json, metrics.jsonl, plots/, checkpoints/)")


def headline(summary: dict[str, Any]) -> str:
    """A run's result in a few words: `val loss 0.281 accuracy 0.889 · test accuracy 0.88`."""
    parts = []
    for part in ("val", "test"):
        values = summary["metrics"][part]
        shown = [f"{n} {number(v['mean'] if isinstance(v, dict) else v)}" for n, v in values.items()]
        parts += [f"{part} {' '.join(shown)}"] if shown else []
    return " · ".join(parts)


def _spread(value: dict[str, Any]) -> str:
    if len(value["per_split"]) == 1:
        return number(value["mean"])
    return f"{number(value['mean'])} ± {number(value['std'])} (n={len(value['per_split'])})"
