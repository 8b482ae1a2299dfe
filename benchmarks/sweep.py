"""A sweep over learning rates and seeds: its jobs trained as one, against the same jobs one after another."""

from __future__ import annotations

import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._measure import DLRUN, Result, Row, spread, timed

RATES, SEEDS = 32, 2
PART = 4
"""Learning rates of a seed that are timed one after another; the others would take as long."""


def run(rounds: int) -> Result:
    """Both ways in turns. One after another takes minutes, so it is timed on a part, twice as long as another part,
    and scaled by the jobs: all do the same work."""
    rates = [f"{rate:.3g}" for rate in np.geomspace(1e-4, 1e-2, RATES)]
    jobs, seeds = RATES * SEEDS, ",".join(map(str, range(SEEDS)))
    together, apart, commands, raw = [], [], [], []
    cpu: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as cache:
        _sweep(["hydra/launcher=stacked", f"optimizer.lr={','.join(rates)}", f"seed={seeds}"], cache)  # fills the cache
        for _ in range(rounds):
            stacked = _sweep(["hydra/launcher=stacked", f"optimizer.lr={','.join(rates)}", f"seed={seeds}"], cache)
            few = _sweep([f"optimizer.lr={','.join(rates[:PART])}", "seed=0"], cache)
            more = _sweep([f"optimizer.lr={','.join(rates[:PART])}", f"seed={seeds}"], cache)
            single = _command([f"optimizer.lr={rates[0]}", "seed=0"], cache)
            commands.append(jobs * single["seconds"])
            together.append(stacked["seconds"])
            apart.append(_scaled(few, more, "seconds", jobs))
            cpu.append((stacked["cpu_seconds"], _scaled(few, more, "cpu_seconds", jobs)))
            raw.append({"stacked": stacked, "parts": [few, more], "single": single})
    what = f"imdb_dense, {RATES} learning rates x {SEEDS} seeds: `hydra/launcher=stacked` against"
    peaks = f"{raw[-1]['stacked']['peak_gb']:.2f} GB against {raw[-1]['parts'][-1]['peak_gb']:.2f} GB"
    rows = []
    for how, others, least in (
        (f"`train -m` one after another (scaled from {PART} and {PART * SEEDS} jobs)", apart, 5),
        (f"{jobs} commands (scaled from one)", commands, None),
    ):
        factor = [a / b for a, b in zip(others, together, strict=True)]
        rows.append(
            Row(
                f"{what} {how}",
                f"{spread(together, ' s')} against {spread(others, ' s')}; peak {peaks}",
                f"{spread(factor)} x as fast",
                f"at least {least} x as fast" if least else "",
                statistics.median(factor) >= least if least else None,
            )
        )
    ours, theirs = zip(*cpu, strict=True)
    rows.append(
        Row(
            f"{what} one after another, in seconds of CPU",
            f"{spread(list(ours), ' s')} against {spread(list(theirs), ' s')}",
            f"{spread([b / a for a, b in cpu])} x less",
        )
    )
    return Result(rows, {"rounds": raw})


def _scaled(few: dict[str, Any], more: dict[str, Any], key: str, jobs: int) -> float:
    """What all jobs one after another would take, from a part of them and that part with every seed."""
    each = (more[key] - few[key]) / (more["jobs"] - few["jobs"])
    return float(more[key] + each * (jobs - more["jobs"]))


def _sweep(words: list[str], cache: str) -> dict[str, Any]:
    return _command(["-m", *words], cache)


def _command(words: list[str], cache: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        command = [*DLRUN, "train", "task=imdb_dense", "trainer.plots=false", *words]
        usage = timed(command, folder, DLRUN_CACHE=cache)
        done = [json.loads(path.read_text()) for path in Path(folder).glob("runs/*/*/summary.json")]
    best = max(summary["metrics"]["val"]["accuracy"]["best"] for summary in done)
    return {**usage._asdict(), "jobs": len(done), "best_accuracy": best}
