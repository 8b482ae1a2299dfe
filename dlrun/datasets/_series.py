"""Windows cut from a series: which there are, and what each has to predict (book 6.3.2, listing 6-33)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from dlrun.contracts import Data, DataSpec, InputSpec, Rows, TargetSpec, Windows, dealt
from dlrun.errors import DataError, Problem
from dlrun.memory import require
from dlrun.types import Natural

Share = Annotated[float, Field(ge=0, le=1)]
Range = Annotated[list[Natural | Share | None], Field(min_length=2, max_length=2)]
"""First row, and the one after the last: numbers of rows, shares of all rows, or null for where the series ends."""

Part = Literal["train", "validation", "test"]
Normalize = Literal["train", "pool", "no"]


@dataclass(frozen=True)
class Cut:
    """How windows are cut, by the names that configs have.

    A window belongs to a reference row: it has `lookback` / `step` rows before that one, one in every `step`, and
    predicts the target `delay` rows after it; with a `horizon` of H, H values from there on, `step` rows apart. The
    newest row of a window is `step` rows before the reference row, as in the book, or, where `recent`, the one just
    before it. A range gives the reference rows from its first row plus `lookback` to its end, so that no
    window reaches into an earlier range. whole_batches: None for all of them; B for as many windows of validation and
    test as the book's generator gives in its numbers of steps: whole batches of B, from the first again where the
    range is used up.
    """

    lookback: int
    step: int
    delay: int
    horizon: int
    recent: bool
    train: Sequence[float | None]
    validation: Sequence[float | None] | None
    test: Sequence[float | None] | None
    whole_batches: int | None

    @property
    def steps(self) -> int:
        """Rows in a window."""
        return self.lookback // self.step

    @property
    def reach(self) -> int:
        """Rows from the reference row to the last one that is predicted."""
        return self.delay + (self.horizon - 1) * self.step

    def problems(self) -> list[Problem]:
        """What is wrong whatever the series."""
        found = []
        if self.lookback % self.step:
            near = max(round(self.lookback / self.step), 1) * self.step
            message = f"expected a multiple of dataset.step={self.step}, received {self.lookback}"
            found.append(Problem("dataset.lookback", message, f"the nearest is {near}"))
        for part in self._parts():
            first, last = getattr(self, part)
            if first is None:
                found.append(Problem(f"dataset.{part}", "expected a first row, received null", "the first row is 0"))
            elif type(first) is type(last) and last <= first:
                found.append(Problem(f"dataset.{part}", f"expected the end after row {first}, received {last}"))
        return found

    def references(self, part: Part, rows: int, scale: float = 1.0) -> np.ndarray:
        """The reference rows of a part, int64 [N], in order. rows: of the series. scale: see `Evaluation.splits`.
        Raises DataError where the series has no such rows, and where no window fits."""
        first, last = self._bounds(part, rows, scale)
        latest = rows - self.reach  # beyond it nothing is known to be predicted
        if self.whole_batches and getattr(self, part)[1] is None:
            latest -= 1  # the book's generator leaves one more row out
        found = np.arange(first + self.lookback, min(last, latest))
        if not len(found):
            raise DataError(
                f"dataset.{part}: no window fits into rows {first:,} to {last - 1:,} of {rows:,}: it takes "
                f"{self.lookback + self.reach + 1:,} rows, dataset.lookback={self.lookback:,} and those from there to "
                f"the target. Make dataset.lookback smaller, or the range longer"
            )
        if self.whole_batches is None or part == "train":
            return found
        size, wanted = self.whole_batches, (last - first - self.lookback) // self.whole_batches
        whole = -(-len(found) // size) - 1  # it begins again when a batch would end where the range does, or later
        if wanted < 1 or whole < 1:
            raise DataError(
                f"dataset.{part}: {len(found):,} windows are less than a batch of dataset.whole_batches={size}"
            )
        batches = np.arange(wanted) % whole
        return found[(batches[:, None] * size + np.arange(size)).reshape(-1)]

    def all_references(self, rows: int, scale: float = 1.0) -> dict[Part, np.ndarray]:
        """By part. Raises DataError where two ranges have rows in common, and as `references`."""
        bounds = sorted((*self._bounds(part, rows, scale), part) for part in self._parts())
        for (_, end, part), (begin, _, other) in pairwise(bounds):
            if begin < end:
                raise DataError(
                    f"dataset.{part} and dataset.{other} have rows in common: {begin:,} to {end - 1:,} of {rows:,}"
                )
        return {part: self.references(part, rows, scale) for part in self._parts()}

    def _parts(self) -> list[Part]:
        parts: tuple[Part, ...] = ("train", "validation", "test")
        return [part for part in parts if getattr(self, part) is not None]

    def _bounds(self, part: Part, rows: int, scale: float) -> tuple[int, int]:
        given = getattr(self, part)
        first, last = (
            rows if b is None else round(b * rows) if isinstance(b, float) else round(b * scale) for b in given
        )
        if last > rows:
            raise DataError(f"dataset.{part}: the series has {rows:,} rows, the range ends at {last:,}")
        return first, last


def spec(
    cut: Cut, columns: Sequence[str], target: str, named: tuple[str, str], unit: str, normalize: Normalize,
    rows: dict[str, int],
) -> DataSpec:  # fmt: skip
    """What is known beforehand. named: what the input and the target are called."""
    source, aim = named
    channel = (source, columns.index(target)) if target in columns else None
    shape = (cut.horizon,) if cut.horizon > 1 else ()
    shown = InputSpec((cut.steps, len(columns)), standardize=normalize, names=tuple(columns), series=True)
    return DataSpec(
        {source: shown},
        {aim: TargetSpec("regression", shape=shape, unit=unit, standardize=normalize, channel=channel)},
        rows,
    )


def data(
    cut: Cut,
    known: DataSpec,
    series: Tensor,
    values: Tensor,
    source: Literal["real", "sample"],
    checksums: dict[str, str],
    scale: float = 1.0,
) -> Data:
    """All windows. series: float32 [T, C]. values: of the target, float32 [T]. Raises DataError."""
    found = cut.all_references(len(series), scale)
    count = sum(map(len, found.values()))
    require(4 * count * (cut.horizon + 4), f"{count:,} windows", "take fewer rows, or a smaller dataset.horizon")
    validation = found.get("validation", found["train"][:0])
    train = np.concatenate([found["train"], validation])
    test = found.get("test")
    times = {"time": train} if test is None else {"time": train, "test_time": test}
    phases = dealt(series, cut.step)
    return Data(
        known,
        rows(cut, known, phases, train, values, len(series)),
        None if test is None else rows(cut, known, phases, test, values, len(series)),
        source=source,
        validation=len(validation),
        extras=times,
        checksums=checksums,
    )


def rows(cut: Cut, known: DataSpec, phases: Tensor, references: np.ndarray, values: Tensor | None, length: int) -> Rows:
    """The windows of reference rows, and their targets where `values` [T] of the target are given. phases, length:
    see `Windows`."""
    at = torch.from_numpy(references)
    (source,), (aim,) = known.inputs, known.targets
    targets = {}
    if values is not None:
        ahead = values.unfold(0, cut.reach - cut.delay + 1, 1)[:, :: cut.step].index_select(0, at + cut.delay)
        targets[aim] = ahead if cut.horizon > 1 else ahead[:, 0]
    lag = 1 if cut.recent else cut.step
    starts = at - lag - (cut.steps - 1) * cut.step
    return Rows({source: Windows(phases, length, starts, cut.steps, lag)}, targets)


def ahead(cut: Cut, known: DataSpec, series: Tensor, named: str) -> Rows:
    """All windows of a new series, the last of which has its newest rows and predicts what is not known yet. Raises
    DataError where there is none."""
    if len(series) < cut.lookback:
        raise DataError(f"{named}: expected at least dataset.lookback={cut.lookback:,} rows, received {len(series):,}")
    references = np.arange(cut.lookback, len(series) + 1)
    return rows(cut, known, dealt(series, cut.step), references, None, len(series))


def describe(cut: Cut, data: Data, part: str, row: int) -> str:
    """`row 1,440: T (degC) from 3.1 to -2.5, 144 rows later 4.2`."""
    there: Rows = getattr(data, part)
    (source,), (aim,) = data.spec.inputs, data.spec.targets
    windows, target = there.inputs[source], data.spec.targets[aim]
    assert isinstance(windows, Windows)
    unit = f" {target.unit}" if target.unit else ""
    value = " ".join(f"{v:g}" for v in there.targets[aim][row].reshape(-1).tolist())
    seen = ""
    if target.channel:
        window = windows[row][:, target.channel[1]]
        seen = f" went from {float(window[0]):g} to {float(window[-1]):g}{unit},"
    reference = int(windows.starts[row]) + windows.span + windows.ahead
    return f"row {reference:,}: {aim}{seen} {cut.delay:,} rows later {value}{unit}"
