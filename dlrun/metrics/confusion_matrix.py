"""Which class is taken for which: a table of true against predicted classes, and a picture of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dlrun.contracts import DataSpec, TableMetric
from dlrun.metrics._decisions import side, true_class, weights
from dlrun.metrics._mean import metric_target
from dlrun.types import Rate

NUMBERED = 15
"""So many classes have their counts written into the cells."""
NAMED = 50
"""So many classes have their names at the axes."""


def build(spec: DataSpec, *, threshold: Rate = 0.5, target: str | None = None) -> TableMetric:
    """For binary and multiclass targets; in the run's artifacts, not in its history.

    threshold: of binary predictions; multiclass takes the largest output. target: the one to read, may be left
    out where there is only one. Raises ConfigError on other problems.
    """
    key, kind = metric_target(spec, target, "confusion_matrix", ("binary", "multiclass"))
    known = spec.targets[key]
    classes = known.classes if kind == "multiclass" else 2
    return ConfusionMatrix(key, classes, known.labels, threshold if kind == "binary" else None)


@dataclass
class ConfusionMatrix:
    """The state is [C * C]: rows counted, true class by true class. threshold: None for multiclass."""

    key: str
    classes: int
    labels: tuple[str, ...]
    threshold: float | None
    state_size: int = field(init=False)

    def __post_init__(self) -> None:
        self.state_size = self.classes**2

    def update(self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor], mask: Tensor | None) -> Tensor:
        """Counts of one batch, float [C * C]. mask: float [B] or None for all rows."""
        predictions, wanted = outputs[self.key], targets[self.key]
        if self.threshold is None:
            said, true = predictions.argmax(-1), true_class(predictions, wanted).long()
        else:
            said, true = (part.long().flatten() for part in (side(predictions, self.threshold), side(wanted, 0.5)))
        rows = weights(predictions, mask)
        empty = torch.zeros(self.state_size, dtype=rows.dtype, device=rows.device)
        return empty.index_add(0, true * self.classes + said, rows)

    def table(self, state: Tensor) -> np.ndarray:
        """Counts, int64 [C, C]: rows are true classes, columns predicted ones."""
        return state.cpu().double().round().long().reshape(self.classes, self.classes).numpy()

    def draw(self, table: np.ndarray, path: Path, title: str) -> None:
        """A PNG: colours are shares of the row, the numbers counts."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.colors import PowerNorm
        from matplotlib.figure import Figure

        size = float(np.clip(1.5 + 0.45 * self.classes, 4.2, 11))
        figure = Figure(figsize=(size + 1.2, size), layout="compressed")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        shares = table / np.maximum(table.sum(1, keepdims=True), 1)
        # Rare confusions matter: with the root of the share, one in a hundred is still to be seen.
        cells = axes.imshow(shares, cmap="Blues", norm=PowerNorm(0.5, 0.0, 1.0))
        bar = figure.colorbar(cells, ax=axes, label="share of the true class's rows", shrink=0.8)
        bar.set_ticks(
            [0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1], labels=["0", *["1", "5", "10", "25", "50", "75"], "100 %"]
        )
        if self.classes <= NUMBERED:
            digits = min(9.0, 45 / len(str(table.max())))
            for (row, column), count in np.ndenumerate(table):
                color = "white" if shares[row, column] > 0.35 else "black"
                axes.text(column, row, f"{count}", ha="center", va="center", color=color, fontsize=digits)
        self._name(axes, size / self.classes)
        axes.set(xlabel="predicted", ylabel="true")
        axes.set_title(f"{title}: confusion matrix", fontsize=11, parse_math=False)
        figure.savefig(path, format="png", dpi=120, bbox_inches="tight")

    def _name(self, axes: Any, width: float) -> None:
        """Ticks: the classes' names or numbers, or every so many numbers where there are too many. width: of a
        cell, inches."""
        if self.classes > NAMED:
            return
        names = self.labels if len(self.labels) == self.classes else [str(c) for c in range(self.classes)]
        short = [name if len(name) <= 16 else name[:15] + "…" for name in names]
        points = 9 if self.classes <= NUMBERED else 7
        turned = 90 if max(map(len, short)) * points / 100 > width else 0
        axes.set_yticks(range(self.classes), labels=short, fontsize=points, parse_math=False)
        axes.set_xticks(range(self.classes), labels=short, fontsize=points, rotation=turned, parse_math=False)
