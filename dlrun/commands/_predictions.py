"""Predictions as a table: for each target what is predicted, the numbers behind it, and what is true."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from dlrun.contracts import TargetSpec

MOST_COLUMNS = 8
"""On the screen; of a wider table's classes only the predicted one's probability is shown."""


@dataclass(frozen=True)
class Column:
    """head: its title. cells: a text for each row. of_class: the target of which it is the probability of one of
    several classes. figures: whether they are numbers."""

    head: str
    cells: list[str]
    of_class: str = ""
    figures: bool = False


def columns(name: str, target: TargetSpec, values: Tensor, true: Tensor | None, several: bool) -> list[Column]:
    """Those of one target. values: the model's outputs, [N, …]. true: targets of the same rows. several: whether there
    are other targets, so that titles must have the name."""
    prefix = f"{name} " if several else ""
    found = []
    if target.classes:
        found.append(Column(name if several else "prediction", [_said(target, value) for value in values]))
    of_class = name if target.problem == "multiclass" else ""
    for head, numbers in zip(_heads(name, target, values, prefix), values.reshape(len(values), -1).T, strict=True):
        found.append(Column(head, [f"{float(v):.6g}" for v in numbers], of_class, True))
    if true is not None:
        found.append(Column(f"true {name}" if several else "true", [_true(target, value) for value in true]))
    return found


def narrow(table: list[Column]) -> list[Column]:
    """What fits on a screen."""
    if len(table) <= MOST_COLUMNS:
        return table
    several = len({column.of_class for column in table} - {""}) > 1
    found: list[Column] = []
    for column in table:
        if not column.of_class:
            found.append(column)
            continue
        head = f"{column.of_class} probability" if several else "probability"
        if found[-1].head != head:
            same = [other.cells for other in table if other.of_class == column.of_class]
            found.append(Column(head, [max(row, key=float) for row in zip(*same, strict=True)], "", True))
    return found


def _heads(name: str, target: TargetSpec, values: Tensor, prefix: str) -> list[str]:
    if target.problem == "binary":
        return [f"{prefix}p({target.labels[1] if target.labels else name})"]
    if values.ndim == 1:
        return [f"{name} ({target.unit})" if target.unit else name]
    places = range(values[0].numel())
    if not target.classes:
        return [f"{name}[{i}]" for i in places]
    return [f"{prefix}p({target.labels[i] if target.labels else i})" for i in places]


def _said(target: TargetSpec, value: Tensor) -> str:
    """The predicted class, or labels."""
    if target.problem == "binary":
        return label(target, value > 0.5)
    if target.problem == "multiclass":
        return label(target, value.argmax())
    return " ".join(label(target, i) for i, v in enumerate(value) if v > 0.5)


def _true(target: TargetSpec, value: Tensor) -> str:
    if value.ndim == 0:
        return label(target, value)
    if target.problem == "multiclass":
        return label(target, value.argmax())
    if target.problem == "multilabel":
        return _said(target, value)
    return " ".join(f"{float(v):.6g}" for v in value.reshape(-1))


def label(target: TargetSpec, value: Any) -> str:
    """A class by its name, a number as it is."""
    if not target.classes:
        return f"{float(value):.6g}"
    return target.labels[int(value)] if target.labels else str(int(value))
