"""The few types that all parts share.

Parts (datasets, layers, architectures, losses, metrics, optimizers, evaluations, callbacks) import this
file and torch, never each other's folders above them and never the runner.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

Problem = Literal["binary", "multiclass", "multilabel", "regression", "bounded_regression"]
"""The five rows of the book's table 4-1; `bounded_regression` has values in 0..1."""


@dataclass(frozen=True)
class InputSpec:
    """One named input: what a row looks like when it reaches the first layer.

    shape: without the batch axis. For `multi_hot` it is `(vocabulary,)`.
    encoding: `values` is a float tensor of `shape`; `multi_hot` stands for a 0/1 vector of `shape` but
        travels as `Bags` of the indices that are 1.
    divide_by: stored values (often uint8) are divided by this when a batch is made.
    standardize: subtract the mean and divide by the standard deviation of each number of a row, as a first
        layer of the model (`standardizing.py`); a missing value (NaN) becomes 0, the mean. `train` takes both
        from the training rows of each split, `pool` from all rows but the test set's (the book's way, 3.6.2).
    names: of the numbers of a row, where they have names: columns of a table.
    """

    shape: tuple[int, ...]
    encoding: Literal["values", "multi_hot"] = "values"
    divide_by: float = 1.0
    standardize: Literal["no", "train", "pool"] = "no"
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class TargetSpec:
    """One named target: the kind of problem, and how wide its last layer is.

    classes: number of classes (multiclass), of labels (multilabel); 2 for binary; 0 for regression.
    shape: of one target without the batch axis, `()` for a class index or a scalar.
    labels: the classes' names, where there are any. unit: of a regression target, such as `k$`.
    """

    problem: Problem
    classes: int = 0
    shape: tuple[int, ...] = ()
    labels: tuple[str, ...] = ()
    unit: str = ""

    @property
    def units(self) -> int:
        """Width of the last layer."""
        if self.problem in ("multiclass", "multilabel"):
            return self.classes
        return int(np.prod(self.shape)) if self.shape else 1


@dataclass(frozen=True)
class DataSpec:
    """What is known of a dataset before it is read. rows: rows per part in the real data."""

    inputs: Mapping[str, InputSpec]
    targets: Mapping[str, TargetSpec]
    rows: Mapping[str, int] = field(default_factory=dict)


class Bags(NamedTuple):
    """Ragged rows of indices. Row i is `values[offsets[i]:offsets[i + 1]]`; what follows the last offset
    is padding and belongs to no row.

    values: int32 or int64 [T]. offsets: int64 [B + 1]. In a stack both carry a leading axis K.
    """

    values: Tensor
    offsets: Tensor


Column = Tensor | Bags


class Batch(NamedTuple):
    """Rows on their way through a step. mask: float [B], 1 for real rows and 0 for padding; None means that
    all rows are real (never None in a stack, where every tensor carries a leading axis K)."""

    inputs: dict[str, Column]
    targets: dict[str, Tensor]
    mask: Tensor | None


@dataclass(frozen=True)
class Rows:
    """Encoded rows that live on one device: named columns of equal length.

    A tensor column is [N, *shape] in its storage dtype (uint8 pictures stay uint8); targets are int64 [N]
    for classes, float32 [N] for binary, float32 [N, *shape] otherwise.
    """

    inputs: dict[str, Column]
    targets: dict[str, Tensor]

    def __len__(self) -> int:
        first = next(iter(self.inputs.values()))
        return len(first.offsets) - 1 if isinstance(first, Bags) else len(first)


@dataclass(frozen=True)
class Data:
    """A loaded dataset. extras: plain things that later commands
    need to turn rows back into something readable (word index, mean and std)."""

    spec: DataSpec
    train: Rows
    test: Rows | None
    source: Literal["real", "sample"] = "real"
    extras: dict[str, Any] = field(default_factory=dict)
    checksums: dict[str, str] = field(default_factory=dict)


@runtime_checkable
class Dataset(Protocol):
    """What `build` of a file in `datasets/` returns; making one reads nothing."""

    spec: DataSpec

    def resolve_source(self) -> Literal["real", "sample"]:
        """Which source `load` will use; with `auto` this may fetch the files. Raises DataError."""
        ...

    def load(self) -> Data:
        """Read and encode. Raises DataError."""
        ...

    def encode(self, raw: str) -> Rows:
        """One new row from what a user types: a text, or the path of a file; its targets are empty.
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


class Loss(Protocol):
    """`(outputs, targets) -> Tensor[B]`, one value per row, never reduced.

    name: which loss it is, resolved where it was `auto`. key: the target it reads.
    outputs: for a target `t` the model gives `outputs[t]`, the prediction after the last activation, and
    `outputs[t + "_logits"]`, the value before it.
    """

    name: str
    key: str

    def __call__(self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> Tensor:
        """One value per row, [B]."""
        ...


class Metric(Protocol):
    """A measure that sums over batches: `update` gives a state that may be added to others, `compute` turns
    the sum into a number. state_size: S of that state. higher_is_better: for choosing the best epoch.
    key: the target it reads."""

    key: str
    state_size: int
    higher_is_better: bool

    def update(self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor], mask: Tensor | None) -> Tensor:
        """State of one batch, float [S]; padding rows count nothing."""
        ...

    def compute(self, state: Tensor) -> float:
        """The metric from a summed state [S]."""
        ...


@runtime_checkable
class RankingMetric(Protocol):
    """A measure that needs all rows at once, such as the area under a curve: what it keeps of each batch is
    put together, then `compute_all` gives the number. key, higher_is_better: as in `Metric`."""

    key: str
    higher_is_better: bool

    def keep(self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> Tensor:
        """What is needed of each row, float [B, W]; padding rows are dropped by the caller."""
        ...

    def compute_all(self, kept: np.ndarray) -> float:
        """The metric from what was kept of all rows, float64 [N, W]; NaN where it is not defined."""
        ...


AnyMetric = Metric | RankingMetric


@runtime_checkable
class TableMetric(Protocol):
    """A `Metric` whose result is a table, such as a confusion matrix: kept in the run's artifacts with a
    picture, not in its history."""

    key: str
    state_size: int

    def update(self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor], mask: Tensor | None) -> Tensor:
        """State of one batch, float [S]; padding rows count nothing."""
        ...

    def table(self, state: Tensor) -> np.ndarray:
        """The table from a summed state [S]."""
        ...

    def draw(self, table: np.ndarray, path: Path, title: str) -> None:
        """Write the picture, a PNG."""
        ...


@dataclass(frozen=True)
class OptimizerSpec:
    """What `build` of a file in `optimizers/` returns. make: from parameters to an optimizer.
    unstackable: why K models can't share one such optimizer, or None when every update is element-wise."""

    make: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]
    unstackable: str | None = None


class Output(NamedTuple):
    """What a batch gave. objective: what is minimised, a scalar. sums: [S], loss times rows, the same for the
    penalty where a layer has one, then the metrics' states. kept: [B, W] by metric, for those that need all rows.
    In a stack sums and kept have a leading axis K."""

    objective: Tensor
    sums: Tensor
    kept: dict[str, Tensor]


class Evaluation(Protocol):
    """What `build` of a file in `evaluations/` returns. refit: train a final model on train + validation for
    the best epoch count ("best") or for a number of epochs. test: open the test set once, at the end. folds:
    models per repeat. validates: whether any rows are held out. stack: train the models as one."""

    folds: int
    n_repeats: int
    validates: bool
    stack: Literal["auto", "always", "never"]
    refit: bool | int | str
    test: bool

    def splits(self, targets: np.ndarray, seed: int, scale: float = 1.0) -> list[Split]:
        """Splits of `len(targets)` rows. scale: rows at hand over rows of the real data (counts shrink with
        sample data). Raises ConfigError where the rows do not allow them."""
        ...


class Callback:
    """Five hooks that do nothing. A callback keeps its state in `state_dict`, tensors and plain data.

    fit: the `trainer.Fit` under way, with epoch, logs per member and the members' weights.
    """

    def on_fit_begin(self, fit: Any) -> None:
        """Before the first epoch, also of a resumed fit."""

    def on_epoch_begin(self, fit: Any) -> None:
        """Before an epoch's first batch."""

    def on_batch_end(self, fit: Any) -> None:
        """After each update: must not wait for the device."""

    def on_epoch_end(self, fit: Any) -> None:
        """After validation; `fit.logs` is complete."""

    def on_fit_end(self, fit: Any) -> None:
        """After the last epoch."""

    def state_dict(self) -> dict[str, Any]:
        """What a resumed fit needs."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Back to a saved state."""


class Schedule(Callback):
    """What `build` of a file in `schedules/` returns: a callback, heard before all others, that sets the
    learning rate. The base rate is `initial_lr` of each parameter group. unstackable: as in `OptimizerSpec`."""

    unstackable: str | None = None


class Guard(Protocol):
    """What `build` of a file in `guards/` returns: one way of fooling oneself, looked for before training.
    `acknowledge=[name]` says that it is meant."""

    def check(self, context: Any) -> list[str]:
        """What was found, one sentence each, with what to do. context: a `guarding.Context`."""
        ...


class Baseline(Protocol):
    """What `build` of a file in `baselines/` returns: predictions without a neural network."""

    kind: str

    def outputs(self, key: str, target: TargetSpec, train: Rows, scored: Rows, seed: int) -> list[Tensor] | None:
        """Predictions for `scored` as a model would give them, [N] or [N, units], one tensor per repetition;
        None where this baseline says nothing about such a target."""
        ...


class Step(Protocol):
    """What `build` of a file in `steps/` returns: how one batch changes the models. optimizer: the one whose
    rate a schedule sets."""

    ensemble: Any
    optimizer: torch.optim.Optimizer

    def update(self, batch: Batch) -> Output:
        """Learn from a batch; what to report of it, as it was before."""
        ...

    def evaluate(self, batch: Batch) -> Output:
        """What to report, learning nothing."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Models and optimizer: tensors and plain data."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Back to a saved state."""
        ...
