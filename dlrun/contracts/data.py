"""What data look like: before they are read, at rest, and on their way through a step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
from torch import Tensor

from dlrun.contracts.windows import Windows

Problem = Literal["binary", "multiclass", "multilabel", "regression", "bounded_regression"]
"""The five rows of the book's table 4-1; `bounded_regression` has values in 0..1."""


@dataclass(frozen=True)
class InputSpec:
    """One named input: what a row looks like when it reaches the first layer.

    shape: without the batch axis. For `multi_hot` it is `(vocabulary,)`.
    encoding: `values` is a float tensor of `shape`; `multi_hot` stands for a 0/1 vector of `shape` but
        travels as `Bags` of the indices that are 1; `tokens` is an int64 tensor of `shape`, each number one of
        0 .. vocabulary - 1.
    divide_by: stored values (often uint8) are divided by this when a batch is made.
    standardize: subtract the mean and divide by the standard deviation of each number of a row, as a first
        layer of the model (`standardizing.py`); a missing value (NaN) becomes 0, the mean. `train` takes both
        from the training rows of each split, `pool` from all rows but the test set's (the book's way, 3.6.2).
    names: of the numbers of a row, where they have names: columns of a table, channels of a series.
    series: a row, [steps, channels], is a window into a series and at rest one of `Windows`; then `standardize` is
        channel by channel, over the rows of the series and not over windows, in which each stands many times.
    """

    shape: tuple[int, ...]
    encoding: Literal["values", "multi_hot", "tokens"] = "values"
    divide_by: float = 1.0
    standardize: Literal["no", "train", "pool"] = "no"
    names: tuple[str, ...] = ()
    vocabulary: int = 0
    series: bool = False


@dataclass(frozen=True)
class TargetSpec:
    """One named target: the kind of problem, and how wide its last layer is.

    classes: number of classes (multiclass), of labels (multilabel); 2 for binary; 0 for regression.
    shape: of one target without the batch axis, `()` for a class index or a scalar; `(classes,)` of a multiclass
        target whose rows are weights of the classes, which need not sum to 1 and are taken as they are.
    labels: the classes' names, where there are any. unit: of a regression target, such as `k$`.
    standardize: of a regression target: the model's last layer learns it less its mean, divided by its standard
        deviation, of the rows that `InputSpec.standardize` says, and gives it back in its own unit.
    channel: of a regression target that is a later value of a series: the input, and which of its channels. Mean and
        deviation are then those of the channel.
    """

    problem: Problem
    classes: int = 0
    shape: tuple[int, ...] = ()
    labels: tuple[str, ...] = ()
    unit: str = ""
    standardize: Literal["no", "train", "pool"] = "no"
    channel: tuple[str, int] | None = None

    @property
    def units(self) -> int:
        """Width of the last layer."""
        if self.problem in ("multiclass", "multilabel"):
            return self.classes
        return int(np.prod(self.shape)) if self.shape else 1


@dataclass(frozen=True)
class DataSpec:
    """What is known of a dataset before it is read. rows: rows per part in the real data. sample: whether sample data
    were asked for: they need no files, nor does the architecture then."""

    inputs: Mapping[str, InputSpec]
    targets: Mapping[str, TargetSpec]
    rows: Mapping[str, int] = field(default_factory=dict)
    sample: bool = False


class Bags(NamedTuple):
    """Ragged rows of indices. Row i is `values[offsets[i]:offsets[i + 1]]`; what follows the last offset
    is padding and belongs to no row.

    values: int32 or int64 [T]. offsets: int64 [B + 1]. In a stack both carry a leading axis K.
    """

    values: Tensor
    offsets: Tensor


class Masked(NamedTuple):
    """Sequences of which some steps are padding. values: [B, T, ...]. mask: bool [B, T], True for real steps."""

    values: Tensor
    mask: Tensor


Column = Tensor | Bags
"""Of a batch."""

Stored = Column | Windows
"""Of rows at rest."""


class Batch(NamedTuple):
    """Rows on their way through a step. mask: float [B], 1 for real rows and 0 for padding; None means that
    all rows are real. weights: by target, what each row's loss counts, float [B], at least 0; targets that are not
    there, and all where it is None, as in validation, count 1. In a stack every tensor carries a leading axis K, unless
    the batch is `shared` by all models."""

    inputs: dict[str, Column]
    targets: dict[str, Tensor]
    mask: Tensor | None
    shared: bool = False
    weights: dict[str, Tensor] | None = None


@dataclass(frozen=True)
class Rows:
    """Encoded rows that live on one device: named columns of equal length.

    A tensor column is [N, *shape] in its storage dtype: uint8 pictures stay uint8; tokens, and nothing else, are
    uint16, int32 or int64. The `Windows` of all parts look into one series. Targets are int64 [N] for classes or
    float32 [N, classes] for their shares, float32 [N] for binary, float32 [N, *shape] otherwise. weights: float32 [N],
    at least 0, what the loss of a row counts when it is trained on; None: each counts 1.
    """

    inputs: Mapping[str, Stored]
    targets: dict[str, Tensor]
    weights: Tensor | None = None

    def __len__(self) -> int:
        first = next(iter(self.inputs.values()))
        return len(first.offsets) - 1 if isinstance(first, Bags) else len(first)


@dataclass(frozen=True, eq=False)
class Data:
    """A loaded dataset. validation: how many rows at the end of `train` the source sets apart to validate on, which
    `evaluation.validation=given` does. extras: plain things that later commands need to turn rows back into something
    readable (word index, mean and std)."""

    spec: DataSpec
    train: Rows
    test: Rows | None
    source: Literal["real", "sample"] = "real"
    validation: int = 0
    extras: dict[str, Any] = field(default_factory=dict)
    checksums: dict[str, str] = field(default_factory=dict)


@runtime_checkable
class Dataset(Protocol):
    """What `build` of a file in `datasets/` returns; making one reads nothing.

    A dataset whose files are not pinned has one attribute more, `fingerprint`, a text that changes with their
    content: it enters the signature, so that a run on changed data is another run. One that does not simply stretch
    a picture to the size of the input, but pads or cuts it, says `stretched = False`.
    """

    spec: DataSpec

    def resolve_source(self) -> Literal["real", "sample"]:
        """Which source `load` will use; with `auto` this may fetch the files. Raises DataError."""
        ...

    def load(self) -> Data:
        """Read and encode. Raises DataError."""
        ...

    def encode(self, raw: str) -> Rows:
        """New rows from what a user types, one from a text, or all of a file; their targets are empty.
        Raises DataError when it can't be read as such."""
        ...

    def describe(self, data: Data, part: str, row: int) -> str:
        """Row `row` of `data.train` or `data.test` as a person would read it, in one line."""
        ...


@dataclass(frozen=True)
class Split:
    """One model's rows: index arrays into the pool of non-test rows. An empty `val` means no validation."""

    repeat: int
    fold: int
    train: np.ndarray
    val: np.ndarray

    @property
    def name(self) -> str:
        """`r0f2`: repeat 0, fold 2."""
        return f"r{self.repeat}f{self.fold}"
