"""What the loss of a training row counts: its own weight times that of its class. Held-out rows all count 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from dlrun.contracts import DataSpec, Loss, Rows


@dataclass(frozen=True)
class Weighing:
    """targets: those that the loss reads. classes: of those with weighted classes, [K, C], a row for each of K models.
    rows: [N], of all rows there are, or None."""

    targets: tuple[str, ...]
    classes: dict[str, Tensor]
    rows: Tensor | None

    def of(self, targets: Mapping[str, Tensor], rows: Tensor) -> dict[str, Tensor]:
        """Weights of a batch by target, [B] or [K, B]. targets: of these rows. rows: their numbers, int64, of that
        shape."""
        own = None if self.rows is None else self.rows.index_select(0, rows.reshape(-1)).view(rows.shape)
        found: dict[str, Tensor] = {}
        for name in self.targets:
            weights = own
            if (table := self.classes.get(name)) is not None:
                labels = _labels(targets[name], rows.ndim).reshape(len(table), -1)
                by_class = table.gather(1, labels).view(rows.shape)
                weights = by_class if own is None else by_class * own
            if weights is not None:
                found[name] = weights
        return found

    def of_first(self) -> Weighing:
        """The first model's alone."""
        return replace(self, classes={name: table[:1] for name, table in self.classes.items()})

    def tensors(self) -> list[Tensor]:
        """All that it is made of."""
        return [*self.classes.values(), *([] if self.rows is None else [self.rows])]

    def made_of(self, tensors: Sequence[Tensor]) -> Weighing:
        """The same with others in place of `tensors()`."""
        given = iter(tensors)
        classes = {name: next(given) for name in self.classes}
        return replace(self, classes=classes, rows=None if self.rows is None else next(given))


def weighing(
    terms: Mapping[str, Loss], spec: DataSpec, rows: Rows, index: Sequence[np.ndarray], dtype: torch.dtype
) -> Weighing | None:
    """For models whose training rows are `index`, K arrays; None where every row counts 1. terms: by target."""
    chosen = {name: getattr(term, "class_weight", None) for name, term in terms.items()}
    classes = {}
    for name, given in chosen.items():
        if given is None:
            continue
        labels = _labels(rows.targets[name], 1)
        numbers = [
            balanced(labels[torch.from_numpy(own).to(labels.device)], spec.targets[name].classes)
            if given == "balanced"
            else torch.tensor(given, dtype=torch.float64)
            for own in index
        ]
        classes[name] = torch.stack(numbers).to(labels.device, dtype)
    if not classes and rows.weights is None:
        return None
    return Weighing(tuple(terms), classes, None if rows.weights is None else rows.weights.to(dtype))


def balanced(labels: Tensor, classes: int) -> Tensor:
    """scikit-learn's rule, n / (classes that occur * rows of the class), float64 [classes]; 0 for those that do not.
    labels: int64 [n]."""
    counts = torch.bincount(labels, minlength=classes).cpu().double()
    there = counts > 0
    return torch.where(there, len(labels) / (there.sum() * counts.clamp(min=1)), 0.0)


def _labels(targets: Tensor, axes: int) -> Tensor:
    """Classes, int64 with so many axes, from indices, from 0 and 1, or from one-hot rows."""
    return targets.argmax(-1) if targets.ndim > axes else targets.long()
