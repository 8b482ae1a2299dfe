"""The runs of a question over its seeds against its claims: the table of `dlrun reproduce`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlrun import console
from dlrun.claims import Claim, value_of, why_not
from dlrun.console import number
from dlrun.run_folder import RunFolder


@dataclass(frozen=True)
class Done:
    """A run of a task that came to its end."""

    task: str
    seed: int
    folder: RunFolder
    summary: dict[str, Any]
    overrides: list[str]


@dataclass(frozen=True)
class Judged:
    """A claim and what was measured. values: by seed; a demo's under seed -1. verdict: as in `Claim.verdict`, or
    why there is none."""

    claim: Claim
    values: dict[int, float]
    verdict: str

    @property
    def measured(self) -> str:
        """`0.8808 ± 0.0041 (3)`: mean, standard deviation over the seeds (n - 1), how many."""
        if not self.values:
            return "-"
        values = list(self.values.values())
        if len(values) == 1:
            return number(values[0])
        return f"{number(float(np.mean(values)))} ± {np.std(values, ddof=1):.2g} ({len(values)})"

    @property
    def each(self) -> str:
        """The value of each seed."""
        return ", ".join(number(v) for v in self.values.values()) if len(self.values) > 1 else "-"

    @property
    def fails(self) -> bool:
        """Whether it was judged, and does not hold."""
        return self.claim.bounded and self.verdict.startswith(("outside", "not measured"))


def judge(claims: Sequence[Claim], done: Sequence[Done], demo: dict[str, float]) -> list[Judged]:
    """Every claim against the runs (differences are taken seed by seed), or against what the demo measured."""
    by_run = {(d.task, d.seed): d for d in done}
    rows = {key: d.folder.read_rows() for key, d in by_run.items()}
    judged = []
    for claim in claims:
        if claim.run is None:
            values = {-1: demo[claim.metric]} if claim.metric in demo else {}
            judged.append(Judged(claim, values, claim.verdict(values.get(-1))))
            continue
        tasks = {claim.run, claim.minus or claim.run}
        seeds = [s for s in dict.fromkeys(s for _, s in by_run) if all((t, s) in by_run for t in tasks)]
        values = {}
        for seed in seeds:
            value = _value(claim, by_run, rows, seed)
            if value is not None:
                values[seed] = value
        used = [by_run[t, s] for t in tasks for s in seeds]
        judged.append(Judged(claim, values, _verdict(claim, values, used)))
    return judged


def _value(claim: Claim, runs: dict[Any, Done], rows: dict[Any, Any], seed: int) -> float | None:
    key = (claim.run, seed)
    value = value_of(claim.metric, runs[key].summary, rows[key])
    if value is None or not (claim.minus or claim.minus_metric):
        return value
    key = (claim.minus or claim.run, seed)
    other = value_of(claim.minus_metric or claim.metric, runs[key].summary, rows[key])
    return None if other is None else value - other


def _verdict(claim: Claim, values: dict[int, float], used: list[Done]) -> str:
    reasons = [why_not(d.overrides, d.summary["data_source"]) for d in used]
    if reason := next(filter(None, reasons), ""):
        return f"not compared: {reason}"
    verdict = claim.verdict(float(np.mean(list(values.values()))) if values else None)
    out = [str(seed) for seed, value in values.items() if claim.verdict(value).startswith("outside")]
    if verdict.startswith("within") and out:
        verdict += f"; seed {', '.join(out)} outside"
    return verdict


def show(name: str, judged: Sequence[Judged], done: Sequence[Done]) -> None:
    """The table of one question on stdout."""
    sample = any(d.summary["data_source"] == "sample" for d in done)
    rows = [
        [j.claim.run or "demo", what(j.claim), number(j.claim.expected), j.measured, j.each, j.verdict] for j in judged
    ]
    columns = ["run", "claim", "book", "ours, mean ± spread (n)", "each seed", "verdict"]
    seconds = sum(d.summary["seconds"] for d in done)
    title = f"{name} · {len(done)} runs, {seconds:.0f} s of training" if done else name
    console.table(columns, rows, title=title, right=["book"], optional=["each seed"], sample=sample)


def what(claim: Claim) -> str:
    """The claim, with whose value is subtracted."""
    return claim.claim + (f", less that of {claim.minus}" if claim.minus else "")
