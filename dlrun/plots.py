"""Loss and metrics against epochs, as the book draws them: dots for training, a line for validation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from dlrun.comparing import smooth
from dlrun.files import writing

HEAD = ("stage", "repeat", "fold", "epoch", "split")


def draw_history(
    rows: list[dict[str, Any]], folder: Path, title: str, smoothing: float = 0.0, dpi: int = 120
) -> list[Path]:
    """One PNG per logged value, such as `loss.png`. Several splits: while all train, their mean and one standard
    deviation around it. title: what was trained. smoothing: factor of `comparing.smooth`; what was measured then stays
    behind it, pale. Returns the files."""
    fit = [row for row in rows if row["stage"] == "fit"]
    names = [name for name in (fit[0] if fit else {}) if name not in HEAD]
    return [_draw(name, fit, folder / f"{name}.png", title, smoothing, dpi) for name in names]


def _draw(name: str, rows: list[dict[str, Any]], path: Path, title: str, smoothing: float, dpi: int) -> Path:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for part, style, label, color in (
        ("train", "o", "training", "tab:orange"),
        ("val", "-", "validation", "tab:blue"),
    ):
        epochs, mean, std, n = _series([r for r in rows if r["split"] == part and name in r], name)
        if not len(epochs):
            continue
        label = label if n == 1 else f"{label}, mean of {n}"
        style = "o" if len(epochs) == 1 else style  # a line through one point can't be seen
        size = 4 if len(epochs) <= 60 else 2
        if smoothing:
            axes.plot(epochs, mean, style, color=color, alpha=0.25, markersize=size)
            label = f"{label}, smoothed by {smoothing:g}"
        axes.plot(epochs, smooth(mean, smoothing), style, color=color, label=label, markersize=size)
        if n > 1:
            axes.fill_between(epochs, mean - std, mean + std, color=color, alpha=0.18, linewidth=0)
        if part == "val" and name == "loss" and len(epochs) > 1:
            best = int(np.argmin(mean))
            axes.axvline(epochs[best], color="0.6", linewidth=1, linestyle=":", zorder=0)
            late = 2 * best >= len(epochs)  # the words go where there is room
            axes.annotate(
                f"lowest: epoch {epochs[best]}",
                (epochs[best], mean[best]),
                xytext=(-6 if late else 6, -14),
                textcoords="offset points",
                ha="right" if late else "left",
                fontsize=8,
                color="0.35",
            )
    parts = "training and validation" if any(r["split"] == "val" for r in rows) else "training"
    axes.set_title(f"{title}: {parts} {name}", fontsize=11, parse_math=False)
    axes.set(xlabel="epoch", ylabel=name)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10], min_n_ticks=1))
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    with writing(path) as aside:
        figure.savefig(aside, format="png", dpi=dpi)
    return path


def _series(rows: list[dict[str, Any]], name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Epochs that all splits trained, mean and standard deviation over the splits, and the number of splits."""
    values: dict[int, list[float]] = {}
    for row in rows:
        values.setdefault(row["epoch"], []).append(row[name])
    n = max(map(len, values.values()), default=0)
    epochs = np.array([e for e in sorted(values) if len(values[e]) == n])
    mean = np.array([np.mean(values[e]) for e in epochs])
    std = np.array([np.std(values[e]) for e in epochs])
    return epochs, mean, std, n
