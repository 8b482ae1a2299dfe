"""The pictures that a run takes for another class than theirs, on a sheet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dlrun import sheets
from dlrun.commands._predictions import label
from dlrun.errors import ConfigError, Problem

if TYPE_CHECKING:
    from torch import Tensor

    from dlrun.contracts import DataSpec, Rows, TargetSpec

MOST, ACROSS = 25, 5


def check(spec: DataSpec, target: str) -> None:
    """Raises ConfigError where the rows are no pictures of classes."""
    if sheets.picture(spec) is None:
        inputs = ", ".join(f"{name} {given.shape}" for name, given in spec.inputs.items())
        raise ConfigError(Problem("mistakes", f"the rows are no pictures: {inputs}", "leave mistakes= out"))
    if spec.targets[target].problem not in ("binary", "multiclass"):
        message = f"'{target}' is no class, but {spec.targets[target].problem}"
        raise ConfigError(Problem("mistakes", message, "leave mistakes= out"))


def draw(spec: DataSpec, rows: Rows, index: Tensor, target: str, values: Tensor, path: Path, title: str) -> int:
    """The surest mistakes first. index: of the rows that were predicted, int64 [n]. values: their outputs, [n] or
    [n, classes]. Returns how many mistakes there are; without any, nothing is written."""
    said, sure = decided(values)
    true = rows.targets[target][index]
    true = (true.argmax(-1) if true.ndim > 1 else true).long()
    wrong = (said != true).nonzero()[:, 0]
    if not len(wrong):
        return 0
    name = sheets.picture(spec)
    assert name is not None
    column, tiles = rows.inputs[name], []
    for i in wrong[sure[wrong].argsort(descending=True, stable=True)][:MOST].tolist():
        above = _title(spec.targets[target], said[i], sure[i], true[i])
        tiles.append(sheets.Tile(column[int(index[i])].numpy(), above))
    sheets.draw(tiles, min(ACROSS, len(tiles)), path, f"{title}\n{len(wrong):,} of {len(index):,} wrong")
    return len(wrong)


def decided(values: Tensor) -> tuple[Tensor, Tensor]:
    """The class that is said, int64 [n], and its probability, [n]."""
    if values.ndim == 1:
        said = values > 0.5
        return said.long(), values.where(said, 1 - values)
    sure, said = values.max(-1)
    return said, sure


def _title(target: TargetSpec, said: Tensor, sure: Tensor, true: Tensor) -> str:
    return f"said {label(target, said)} {float(sure):.2f}, is {label(target, true)}"
