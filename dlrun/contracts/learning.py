"""What learns and what it is judged by while it does: losses, metrics, optimizers, steps, callbacks, schedules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from dlrun.contracts.data import Batch


class Loss(Protocol):
    """`(outputs, targets) -> Tensor[B]`, one value per row, never reduced.

    name: which loss it is, resolved where it was `auto`. key: the target it reads. One that weighs classes has them as
    `class_weight`: a number for each class, or "balanced".
    outputs: for a target `t` the model gives `outputs[t]`, the prediction after the last activation, and
    `outputs[t + "_logits"]`, the value before it.
    """

    name: str
    key: str

    def __call__(self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> Tensor:
        """One value per row, [B]."""
        ...


@runtime_checkable
class SumOfLosses(Protocol):
    """The weighted sum of several losses. name: as in the config. terms: by target, each logged as `<target>_loss`
    without its factor. weights: by target, the factor of its term."""

    name: str
    terms: Mapping[str, Loss]
    weights: Mapping[str, float]

    def __call__(self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> Tensor:
        """The sum for each row, [B]."""
        ...


AnyLoss = Loss | SumOfLosses


class Metric(Protocol):
    """A measure that sums over batches: `update` gives a state that may be added to others, `compute` turns
    the sum into a number. state_size: S of that state. higher_is_better: for choosing the best epoch.
    key: the target it reads. It is reported by the name of its file; a `build` that returns a dict gives several,
    or one by another name."""

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


@runtime_checkable
class RowTable(Protocol):
    """A table with a line for each row, such as forecasts beside what came: kept in the run's artifacts like a
    `TableMetric`. columns: their names, W of them."""

    key: str

    @property
    def columns(self) -> tuple[str, ...]:
        """See above."""
        ...

    def keep(self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> Tensor:
        """The lines of a batch, float [B, W]."""
        ...

    def draw(self, table: np.ndarray, path: Path, title: str) -> None:
        """Write the picture of all lines [N, W], a PNG."""
        ...


AnyTable = TableMetric | RowTable

Numbers = Mapping[str, Any]
"""An optimizer's numbers by the names of its YAML: floats, or numpy arrays that broadcast with each other; `lr` is the
rate of the update at hand."""


@dataclass(frozen=True)
class Rule:
    """An element-wise optimizer as a function of tensors: what a compiled update runs, and a stack whose models
    differ in their numbers.

    numbers: those of the YAML. initial: a weight's state before the first update, by the names that torch's
    optimizer has for it. factors: from numbers and t, the update's number from 1 on, to the numbers that `update`
    computes with; in double precision on the host, as torch does it. update: (weight, gradient, state, factors) to
    the new weight and the parts of the state that change. counts: whether `factors` depend on t, which the state's
    `step` then counts. K stacked models are updated under `vmap`, so every factor may be each model's own.
    """

    numbers: Numbers
    initial: Callable[[Tensor], dict[str, Tensor]]
    update: Callable[[Tensor, Tensor, dict[str, Tensor], Mapping[str, Any]], tuple[Tensor, dict[str, Tensor]]]
    factors: Callable[[Numbers, Any], dict[str, Any]] = lambda numbers, t: dict(numbers)
    counts: bool = False


@dataclass(frozen=True)
class OptimizerSpec:
    """What `build` of a file in `optimizers/` returns. make: from parameters to an optimizer.
    unstackable: why K models can't share one such optimizer, or None when every update is element-wise.
    rule: the same as a function; without one the optimizer is not compiled."""

    make: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]
    unstackable: str | None = None
    rule: Rule | None = None


class Output(NamedTuple):
    """What a batch gave. objective: what is minimised, a scalar. sums: [S], loss times rows, the same for the
    penalty where a layer has one and for each term of a sum of losses, then the metrics' states. kept: [B, W] by
    metric, for those that need all rows. In a stack sums and kept have a leading axis K."""

    objective: Tensor
    sums: Tensor
    kept: dict[str, Tensor]


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

    def state_dict(self, members: Sequence[int]) -> dict[str, Any]:
        """Some of the models, and what the optimizer keeps of them: tensors and plain data."""
        ...

    def load_state_dict(self, state: dict[str, Any], members: Sequence[int]) -> None:
        """Back to a saved state."""
        ...


class Callback:
    """Five hooks that do nothing. A callback keeps its state in `state_dict`, tensors and plain data.

    fit: the `trainer.Fit` under way, with epoch, logs per member and the members' weights. every_update: whether
    `on_batch_end` must be heard after each update; one that is content with hearing it now and then lets a
    compiled training do many updates between two calls.
    """

    every_update: bool = True

    def on_fit_begin(self, fit: Any) -> None:
        """Before the first epoch, also of a resumed fit."""

    def on_epoch_begin(self, fit: Any) -> None:
        """Before an epoch's first batch."""

    def on_batch_end(self, fit: Any) -> None:
        """After each update, or after some where `every_update` is false: must not wait for the device."""

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

    def upcoming(self, fit: Any, updates: int) -> list[float]:
        """The learning rates of so many updates to come, when nothing is heard between them."""
        return [float(fit.step.optimizer.param_groups[0]["lr"])] * updates
