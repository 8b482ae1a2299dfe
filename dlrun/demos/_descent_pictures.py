"""The pictures of `gradient_descent`: figures 2-11 to 2-13 of the book, drawn from descents that were run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dlrun.files import writing

Curve = Callable[[Tensor], Tensor]


def learning_rates(path: Path, curve: Curve, paths: Mapping[float, Tensor]) -> None:
    """Figure 2-11: the first points of a descent, t = 0, 1, 2, …, one panel per learning rate."""
    figure, panels = _figure(len(paths), 3.4)
    w = torch.linspace(-2.4, 2.4, 200, dtype=torch.float64)
    for axes, (lr, points) in zip(panels, paths.items(), strict=True):
        axes.plot(w, curve(w), color="0.7")
        axes.plot(points[:, 0], curve(points[:, 0]), "o-", color="tab:blue", linewidth=1, markersize=5)
        for t, point in enumerate(points[:, 0]):
            side = 8 if point >= 0 else -8  # outside the curve, where nothing is in the way
            axes.annotate(
                f"t={t}", (float(point), float(curve(point))), xytext=(side, -3), textcoords="offset points",
                ha="left" if side > 0 else "right", fontsize=8,
            )  # fmt: skip
        axes.set(title=f"learning rate {lr:g}", xlabel="weight", xlim=(-3.4, 3.4))
    panels[0].set_ylabel("loss")
    _save(figure, path)


def path_on_surface(path: Path, curve: Curve, points: Tensor) -> None:
    """Figure 2-12: a descent on the loss of two weights. points: [T, 2]."""
    figure, (axes,) = _figure(1, 5.6)
    first, second = torch.linspace(-4, 4, 120, dtype=torch.float64), torch.linspace(-3, 3, 120, dtype=torch.float64)
    grid = torch.stack(torch.meshgrid(first, second, indexing="xy"), dim=-1)
    drawn = axes.contourf(first, second, curve(grid), levels=20, cmap="viridis")
    figure.colorbar(drawn, ax=axes, label="loss")
    axes.plot(points[:, 0], points[:, 1], "o-", color="white", markersize=3, linewidth=1)
    for name, place in (("start", points[0]), (f"after {len(points) - 1} steps", points[-1])):
        axes.annotate(
            name, (float(place[0]), float(place[1])), xytext=(6, 6), textcoords="offset points", color="white"
        )
    axes.set(title="descent on the loss of two weights", xlabel="weight 1", ylabel="weight 2")
    _save(figure, path)


def minima(path: Path, curve: Curve, paths: Mapping[float, Tensor]) -> None:
    """Figure 2-13: where descents with more and less momentum come to rest, one panel each."""
    figure, panels = _figure(len(paths), 3.4)
    w = torch.linspace(-1.7, 2.05, 200, dtype=torch.float64)
    for axes, (momentum, points) in zip(panels, paths.items(), strict=True):
        axes.plot(w, curve(w), color="0.7")
        axes.plot(points[:, 0], curve(points[:, 0]), ".", color="tab:blue", markersize=4, alpha=0.5)
        last = points[-1, 0]
        axes.plot(last, curve(last), "o", color="tab:red", markersize=8, label=f"rests at {float(last):.2f}")
        axes.set(title=f"momentum {momentum:g}", xlabel="weight")
        axes.legend(frameon=False)
    panels[0].set_ylabel("loss")
    _save(figure, path)


def _figure(panels: int, width: float) -> tuple[Any, list[Any]]:
    """A figure with panels side by side, each `width` inches wide."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * panels, 3.6 if panels > 1 else 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, panels, squeeze=False, sharey=True)
    return figure, list(axes[0])


def _save(figure: Any, path: Path) -> None:
    with writing(path) as aside:
        figure.savefig(aside, format="png", dpi=120)
