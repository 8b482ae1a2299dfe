"""The two pictures: times of whole jobs as bars, and the growth of a stack as lines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from benchmarks._measure import short

HERE = Path(__file__).parent


def bars(panels: dict[str, list[tuple[str, float]]], file: str) -> None:
    """One panel per job: name and seconds of each contender, the quickest on top, on a logarithmic axis."""
    height = 0.9 + 0.28 * max(len(panel) for panel in panels.values())
    figure = Figure(figsize=(7.5, height * len(panels)), layout="constrained")
    for axes, (job, panel) in zip(figure.subplots(len(panels), squeeze=False)[:, 0], panels.items(), strict=True):
        names, seconds = zip(*sorted(panel, key=lambda bar: -bar[1]), strict=True)
        colors = ["tab:blue" if name.startswith("dlrun") else "0.7" for name in names]
        drawn = axes.barh(names, seconds, color=colors)
        axes.bar_label(drawn, [f"{short(s)} s" for s in seconds], padding=3, fontsize=8)
        axes.set_xscale("log")
        axes.set_xlim(min(seconds) / 2, max(seconds) * 3)
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_title(job, fontsize=10)
        axes.set_xlabel("time of the whole process (s)")
        axes.tick_params(labelsize=8)
    _save(figure, file)


def lines(models: Sequence[int], rates: dict[str, list[float]], file: str) -> None:
    """Updates per second of each way against the number of models, both axes logarithmic."""
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.add_subplot()
    for name, values in rates.items():
        axes.plot(models, values, "o-", label=name)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(models, [str(k) for k in models])
    axes.set_xlabel("models in a stack (K)")
    axes.set_ylabel("updates of single models (1/s)")
    axes.set_title("Boston's net, 13-64-64-1, batches of 1 row", fontsize=11)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    _save(figure, file)


def _save(figure: Figure, file: str) -> None:
    FigureCanvasAgg(figure)
    figure.savefig(HERE / file, dpi=120)
