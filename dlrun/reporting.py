"""What a finished run shows: result, baseline, the book's figure, and where the files are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlrun import console
from dlrun.console import number
from dlrun.judging import verdict
from dlrun.run_folder import RunFolder
from dlrun.summary import remark


def report(summary: dict[str, Any], runs_dir: Path) -> None:
    """The closing table on stdout."""
    folder = runs_dir / summary["task"] / summary["signature"]
    title = f"{summary['task']} · seed {summary['seed']} · {summary['device']} · {summary['seconds']:.1f} s"
    sample = summary["data_source"] == "sample"
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
    console.table(columns, rows, title=title, right=columns[1:], sample=sample)
    _baselines(summary["baseline"], sample)
    _book(summary["book"])
    console.say(remark(RunFolder(folder).read_rows()))
    more = ", artifacts/" if RunFolder(folder).artifacts.is_dir() else ""
    console.say(f"files: {folder}/  (summary.json, metrics.jsonl, plots/, checkpoints/{more})")


def _baselines(judged: dict[str, Any], sample: bool) -> None:
    """What must be beaten: one row per baseline, one column per metric; then whether it is."""
    names = list(dict.fromkeys(name for found in judged.values() for name in found["all"]))
    if not names:
        return
    rows = []
    for name in names:
        scores = [found["all"].get(name) for found in judged.values()]
        kind = next(score["kind"] for score in scores if score)
        rows.append([name, kind, *(_repeated(score) for score in scores)])
    console.table(
        ["baseline", "what it says", *judged], rows, title="Without a network", right=[*judged], sample=sample
    )
    console.say(verdict(judged))


def _repeated(score: dict[str, Any] | None) -> str:
    if score is None:
        return "-"
    return f"{number(score['mean'])} ± {score['std']:.2g}" if score["n"] > 1 else number(score["mean"])


def _book(claims: list[dict[str, Any]]) -> None:
    """The book's figures beside ours; only why not, where the two can't be compared."""
    compared = [c for c in claims if not c["verdict"].startswith("not compared")]
    if compared:
        rows = [[c["claim"], number(c["expected"]), number(c["measured"]), c["verdict"]] for c in compared]
        console.table(["claim", "book", "ours", "verdict"], rows, title="The book", right=["book", "ours"])
    for reason in dict.fromkeys(c["verdict"] for c in claims if c not in compared):
        console.say(f"book: {reason}")


def headline(summary: dict[str, Any]) -> str:
    """A run's result in a few words: `val loss 0.281 accuracy 0.889 · test accuracy 0.88`."""
    parts = []
    for part in ("val", "test"):
        values = summary["metrics"][part]
        shown = [f"{n} {number(v['mean'] if isinstance(v, dict) else v)}" for n, v in values.items()]
        parts += [f"{part} {' '.join(shown)}"] if shown else []
    if summary["data_source"] == "sample":
        parts.append("SAMPLE DATA")
    return " · ".join(parts)


def _spread(value: dict[str, Any]) -> str:
    if len(value["per_split"]) == 1:
        return number(value["mean"])
    return f"{number(value['mean'])} ± {value['std']:.3g} (n={len(value['per_split'])})"
