"""What was predicted beside what came, row after row: a table and a picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dlrun.contracts import DataSpec, RowTable
from dlrun.errors import ConfigError, Problem
from dlrun.losses._rows import target_name

CLOSE = 1440
"""Rows of the closer look: ten days of the book's weather."""


def build(spec: DataSpec, *, target: str | None = None) -> RowTable:
    """Of a regression target, in its own unit, row after row as they are evaluated. Its picture has the first and the
    last of several numbers.

    target: the one to read, may be left out where there is only one. Raises ConfigError.
    """
    name = target_name(spec, target, "metrics.forecast.target")
    given = spec.targets[name]
    if given.problem not in ("regression", "bounded_regression"):
        message = f"forecast needs numbers to predict, '{name}' is {given.problem}"
        raise ConfigError(Problem("metrics.forecast", message, "take confusion_matrix"))
    return Forecast(name, given.units, given.unit)


@dataclass
class Forecast:
    """See `build`. numbers: of a row, H."""

    key: str
    numbers: int
    unit: str

    @property
    def columns(self) -> tuple[str, ...]:
        """2 H names."""
        marks = [""] if self.numbers == 1 else [f" {i + 1}" for i in range(self.numbers)]
        return tuple(f"{what}{mark}" for what in ("forecast", "true") for mark in marks)

    def keep(self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> Tensor:
        """Predictions, then true values: [B, 2 H]."""
        predictions = outputs[self.key]
        rows = len(predictions)
        return torch.cat([predictions.reshape(rows, -1), targets[self.key].reshape(rows, -1)], 1)

    def draw(self, table: np.ndarray, path: Path, title: str) -> None:
        """A PNG: all rows, and below them the first ones closer."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        places = sorted({0, self.numbers - 1})
        closer = [len(table), *([CLOSE] if len(table) > 1.5 * CLOSE else [])]
        figure = Figure(figsize=(9, 2.6 * len(places) * len(closer) + 0.6), layout="constrained")
        FigureCanvasAgg(figure)
        panels = [(place, rows) for place in places for rows in closer]
        for number, (place, rows) in enumerate(panels, 1):
            axes = figure.add_subplot(len(panels), 1, number)
            axes.plot(table[:rows, self.numbers + place], color="0.25", linewidth=1, label="what came")
            axes.plot(table[:rows, place], color="tab:blue", linewidth=1, label="forecast")
            axes.set_ylabel(f"{self.key} ({self.unit})" if self.unit else self.key, parse_math=False)
            axes.margins(x=0.01)
            axes.spines[["top", "right"]].set_visible(False)
            which = f", number {place + 1} of {self.numbers}" if self.numbers > 1 else ""
            which += f", the first {rows:,} rows" if rows < len(table) else ""
            axes.set_title(f"{title}: forecast{which}", fontsize=11, parse_math=False)
            if number == 1:
                axes.legend(frameon=False, ncols=2, loc="upper right", bbox_to_anchor=(1, 1.22), fontsize=9)
        axes.set_xlabel("row")
        figure.savefig(path, format="png", dpi=120)
