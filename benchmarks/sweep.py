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
    together, apart, raw = [], [], []
    with tempfile.TemporaryDirectory() as cache:
        _sweep(["hydra/launcher=stacked", f"optimizer.lr={','.join(rates)}", f"seed={seeds}"], cache)  # fills the cache
        for _ in range(rounds):
            stacked = _sweep(["hydra/launcher=stacked", f"optimizer.lr={','.join(rates)}", f"seed={seeds}"], cache)
            few = _sweep([f"optimizer.lr={','.join(rates[:PART])}", "seed=0"], cache)
            more = _sweep([f"optimizer.lr={','.join(rates[:PART])}", f"seed={seeds}"], cache)
            each = (more["seconds"] - few["seconds"]) / (PART * (SEEDS - 1))
            together.append(stacked["seconds"])
            apart.append(more["seconds"] + each * (jobs - PART * SEEDS))
            raw.append({"stacked": stacked, "parts": [few, more]})
    factor = [a / b for a, b in zip(apart, together, strict=True)]
    row = Row(
        f"imdb_dense, {RATES} learning rates x {SEEDS} seeds: `hydra/launcher=stacked` against one after another "
        f"(scaled from {PART} and {PART * SEEDS} jobs)",
        f"{spread(together, ' s')} against {spread(apart, ' s')}; peak {raw[-1]['stacked']['peak_gb']:.2f} GB "
        f"against {raw[-1]['parts'][-1]['peak_gb']:.2f} GB",
        f"{spread(factor)} x as fast",
        "at least 5 x as fast",
        statistics.median(factor) >= 5,
    )
    return Result([row], {"rounds": raw})


def _sweep(words: list[str], cache: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        command = [*DLRUN, "train", "-m", "task=imdb_dense", "trainer.plots=false", *words]
        seconds, peak = timed(command, folder, DLRUN_CACHE=cache)
        done = [json.loads(path.read_text()) for path in Path(folder).glob("runs/*/*/summary.json")]
    best = max(summary["metrics"]["val"]["accuracy"]["best"] for summary in done)
    return {"seconds": seconds, "peak_gb": peak, "jobs": len(done), "best_accuracy": best}
