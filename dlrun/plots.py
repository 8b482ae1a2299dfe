"""Loss and metrics against epochs, as the book draws them: dots for training, a line for validation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from dlrun.files import writing

HEAD = ("stage", "repeat", "fold", "epoch", "split")


def draw_history(rows: list[dict[str, Any]], folder: Path, dpi: int = 120) -> list[Path]:
    """One PNG per logged value, such as `loss.png`. Several splits: their mean, and a band of one standard
    deviation. Returns the files."""
    fit = [row for row in rows if row["stage"] == "fit"]
    names = [name for name in (fit[0] if fit else {}) if name not in HEAD]
    return [_draw(name, fit, folder / f"{name}.png", dpi) for name in names]


def _draw(name: str, rows: list[dict[str, Any]], path: Path, dpi: int) -> Path:
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
        axes.plot(epochs, mean, style, color=color, label=label, markersize=4 if len(epochs) <= 60 else 2)
        if n > 1:
            axes.fill_between(epochs, mean - std, mean + std, color=color, alpha=0.18, linewidth=0)
        if part == "val" and name == "loss" and len(epochs) > 1:
            best = int(np.argmin(mean))
            axes.axvline(epochs[best], color="0.6", linewidth=1, linestyle=":", zorder=0)
            axes.annotate(f"lowest: epoch {epochs[best]}", (epochs[best], mean[best]), xytext=(6, -14),
                          textcoords="offset points", fontsize=8, color="0.35")  # fmt: skip
    axes.set(xlabel="epoch", ylabel=name, title=f"Training and validation {name}")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    with writing(path) as aside:
        figure.savefig(aside, format="png", dpi=dpi)
    return path


def _series(rows: list[dict[str, Any]], name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Epochs, mean and standard deviation over the splits that trained in each, and the number of splits."""
    values: dict[int, list[float]] = {}
    for row in rows:
        values.setdefault(row["epoch"], []).append(row[name])
    epochs = np.array(sorted(values))
    mean = np.array([np.mean(values[e]) for e in epochs])
    std = np.array([np.std(values[e]) for e in epochs])
    return epochs, mean, std, max(map(len, values.values()), default=0)
