"""What a stack gains as it grows: updates of single models per second, compiled and eager, for Boston's net."""

from __future__ import annotations

import sys
import tempfile

from benchmarks import _plots
from benchmarks._measure import PEERS, Result, Row, said, timed

COUNTS = tuple(2**n for n in range(9))
HELD_OUT = 101  # of 404 rows: each model trains on 303, one at a time
WORDS = ["task=boston_dense_final", "evaluation.test=false", f"evaluation.validation={HELD_OUT}",
         "trainer.batch_size=1", "trainer.plots=false"]  # fmt: skip
MODES = {"compiled": "always", "eager": "never"}


def run(epochs: int, counts: tuple[int, ...] = COUNTS) -> Result:
    """K repeats of a holdout are a stack of K models. epochs: timed in each process, after one that is not."""
    rates: dict[str, list[float]] = {name: [] for name in MODES}
    with tempfile.TemporaryDirectory() as cache:
        for count in counts:
            for name, mode in MODES.items():
                words = [f"evaluation.n_repeats={count}", f"trainer.compile={mode}", f"trainer.epochs={1 + epochs}"]
                with tempfile.TemporaryDirectory() as folder:
                    clock = [sys.executable, str(PEERS / "dlrun_clock.py"), *WORDS, *words]
                    timed(clock, folder, DLRUN_CACHE=cache)
                    rates[name].append(1 / said(folder)["update_seconds"])
    _plots.lines(counts, rates, "growth.png")
    rows = [
        Row(
            f"boston's net, batches of 1 row: updates per second of {count} {'models' if count > 1 else 'model'}",
            f"compiled {compiled:,.0f}, eager {eager:,.0f}",
            f"{compiled / eager:.3g} x as many",
        )
        for count, compiled, eager in zip(counts, *rates.values(), strict=True)
    ]
    return Result(rows, {"models": list(counts), **rates})
