"""Loss and metrics against epochs, as the book draws them: dots for training, a line for validation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dlrun.files import writing

NEAR = 0.5
"""Of the height of the curves: a baseline further away would make them flat."""

HEAD = ("stage", "repeat", "fold", "epoch", "split")


def draw_history(
    rows: list[dict[str, Any]],
    folder: Path,
    title: str,
    smoothing: float = 0.0,
    baseline: Mapping[str, Any] | None = None,
    dpi: int = 120,
) -> list[Path]:
    """One PNG per logged value, such as `loss.png`. Several splits: while all train, their mean and one standard
    deviation around it. title: what was trained. smoothing: factor of `smooth`; what was measured then stays
    behind it, pale. baseline: by logged value, what it is held against, as `{"value", "kind"}`; a line where it is near
    the curves. Returns the files."""
    fit = [row for row in rows if row["stage"] == "fit"]
    names = [name for name in (fit[0] if fit else {}) if name not in HEAD]
    against = baseline or {}
    return [_draw(name, fit, folder / f"{name}.png", title, smoothing, against.get(name), dpi) for name in names]


def smooth(values: np.ndarray, factor: float) -> np.ndarray:
    """Listing 3-31: the first point as it is, then `factor` of the previous result and the rest of the point."""
    result: list[float] = []
    for value in values:
        result.append(factor * result[-1] + (1 - factor) * value if result else value)
    return np.array(result)


def _draw(
    name: str,
    rows: list[dict[str, Any]],
    path: Path,
    title: str,
    smoothing: float,
    against: Mapping[str, Any] | None,
    dpi: int,
) -> Path:
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
    low, high = axes.get_ylim()
    if against and low - NEAR * (high - low) <= against["value"] <= high + NEAR * (high - low):
        axes.axhline(against["value"], color="0.4", linewidth=1, linestyle="--", zorder=0, label=against["kind"])
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
