"""Updates of nets written in YAML against the same nets by hand: what walking a graph costs."""

from __future__ import annotations

import statistics
import sys
import tempfile

from benchmarks._measure import PEERS, Result, Row, said, spread, timed

TURNS = 20  # a round: turns take a thirtieth of a second, and single ones say little
MOST = 1.05


def run(rounds: int) -> Result:
    """Both in one process and in turns, eager and compiled."""
    result = Result()
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as cache:
        timed([sys.executable, str(PEERS / "graph_updates.py"), str(rounds * TURNS)], folder, DLRUN_CACHE=cache)
        result.raw = said(folder)
    for net, ways in result.raw.items():
        for way, pairs in ways.items():
            ours, by_hand = ([1e6 * pair[i] for pair in pairs] for i in (0, 1))
            factor = [a / b for a, b in pairs]
            low, _, high = statistics.quantiles(factor, n=4)
            result.rows.append(
                Row(
                    f"{net}, {way}, an update: graph against the same layers called by hand",
                    f"{spread(ours, ' µs')} against {spread(by_hand, ' µs')}",
                    f"{statistics.median(factor):.3f} x the time (half of the turns: {low:.3f} to {high:.3f})",
                    f"at most {MOST} x",
                    statistics.median(factor) <= MOST,
                )
            )
    return result
