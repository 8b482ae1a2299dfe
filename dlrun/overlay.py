"""One chart of several runs, as the book's figures 4-4 to 4-9 compare two: crosses, then dots."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from dlrun.comparing import Compared
from dlrun.files import writing

COLORS = ("#000000", "#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Told apart by the colour-blind too (Okabe and Ito); the yellow is too pale for lines."""

MARKERS = ("o", "s", "^", "D", "v")
MOST_MARKS = 40  # on one curve; more would run into each other
PARTS = {"train": "training", "val": "validation"}


def draw(
    runs: Sequence[Compared], metrics: Sequence[str], part: str, path: Path, skip: int = 0, factor: float = 0.0
) -> None:
    """A PNG with one panel per metric. Several splits: their mean, and one standard deviation around it.

    part: `val` or `train`. skip: epochs left out at the start; the axis keeps the true epochs, which listing
    3-31 shifts. factor: of the moving average, 0 for none. Every run has the metrics and more than `skip` epochs.
    Raises RunError when the file can't be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    across = min(len(metrics), 2)
    down = math.ceil(len(metrics) / across)
    figure = Figure(figsize=(7.2 * across, 4.6 * down), layout="constrained")
    FigureCanvasAgg(figure)
    for number, metric in enumerate(metrics, 1):
        axes = figure.add_subplot(down, across, number)
        for i, run in enumerate(runs):
            _curve(axes, run, metric, part, i, len(runs), skip, factor)
        smoothing = f", moving average {factor:g}" if factor else ""
        sample = " · SAMPLE DATA" if any(run.sample for run in runs) else ""
        axes.set_title(f"{PARTS[part]} {metric}{smoothing}{sample}", fontsize=11, parse_math=False)
        axes.set(xlabel="epoch", ylabel=f"{PARTS[part]} {metric}")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10], min_n_ticks=1))
        legend = axes.legend(frameon=False, fontsize=9)
        for text in legend.get_texts():
            text.set_parse_math(False)
        axes.spines[["top", "right"]].set_visible(False)
    with writing(path) as aside:
        figure.savefig(aside, format="png", dpi=120)


def _curve(axes, run: Compared, metric: str, part: str, i: int, n: int, skip: int, factor: float) -> None:  # type: ignore[no-untyped-def]
    curve = run.curve(part, metric)
    assert curve is not None
    label = run.marked if curve.splits == 1 else f"{run.marked}, mean of {curve.splits}"
    curve = curve.without(skip).smoothed(factor)
    every = math.ceil(len(curve.epochs) / MOST_MARKS)
    joined = every > 1 or (n > 2 and i > 0)  # dots of several runs need a line to be followed
    color = COLORS[i % len(COLORS)]
    axes.plot(
        curve.epochs,
        curve.mean,
        color=color,
        marker="x" if i == 0 else MARKERS[(i - 1) % len(MARKERS)],
        markevery=every,
        markersize=6 if i == 0 else 4,
        linestyle="-" if joined else "none",
        linewidth=1,
        label=label,
        zorder=3 if i == 0 else 2,
    )
    if curve.splits > 1:
        low, high = curve.mean - curve.std, curve.mean + curve.std
        axes.fill_between(curve.epochs, low, high, color=color, alpha=0.12, linewidth=0)
