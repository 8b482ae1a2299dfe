"""One model, or K models of one shape trained as one: the same calls for both.

K models are stacked into tensors with a leading axis K and run under `vmap`; the sum of their losses has
the gradient of each, so an optimizer whose update is element-wise moves each as if it were alone.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state

from dlrun.contracts import AnyMetric, Batch, Loss, Output, RankingMetric

State = dict[str, Tensor]


class Objective(nn.Module):
    """A model with its loss and metrics: one batch in, the number to minimise and the sums to report out."""

    def __init__(self, model: nn.Module, loss: Loss, metrics: dict[str, AnyMetric]):
        super().__init__()
        self.model, self.loss, self.metrics = model, loss, metrics
        self.counting = {n: m for n, m in metrics.items() if not isinstance(m, RankingMetric)}
        self.ranking = {n: m for n, m in metrics.items() if isinstance(m, RankingMetric)}
        self.penalised: list[Any] = [m for m in model.modules() if hasattr(m, "penalty")]

    def forward(self, batch: Batch) -> Output:
        """The mean over real rows is taken here, once, with the mask."""
        outputs = self.model(batch.inputs)
        per_row = self.loss(outputs, batch.targets)
        if batch.mask is None:
            rows: Any = len(per_row)
            loss_sum = per_row.sum()
        else:
            rows = batch.mask.sum()  # at least 1: members of a stack have equally many batches
            loss_sum = (per_row * batch.mask).sum()
        objective = loss_sum / rows
        parts = [loss_sum.reshape(1)]
        if self.penalised:
            penalty = torch.stack([layer.penalty() for layer in self.penalised]).sum()
            objective = objective + penalty
            parts.append((penalty * rows).reshape(1))
        with torch.no_grad():
            states = [m.update(outputs, batch.targets, batch.mask) for m in self.counting.values()]
            sums = torch.cat(parts + states)
            kept = {name: m.keep(outputs, batch.targets) for name, m in self.ranking.items()}
        return Output(objective, sums, kept)

    def compute(self, sums: Tensor, rows: int, kept: dict[str, np.ndarray]) -> dict[str, float]:
        """Numbers from the sums [S] of all batches, over `rows` rows, and from what was kept of each row."""
        values = {"loss": float(sums[0]) / rows}
        first = 1
        if self.penalised:
            values["penalty"] = float(sums[first]) / rows
            first += 1
        for name, metric in self.metrics.items():
            if isinstance(metric, RankingMetric):
                values[name] = metric.compute_all(kept[name])
            else:
                values[name] = metric.compute(sums[first : first + metric.state_size])
                first += metric.state_size
        return values


class Ensemble(Protocol):
    """K objectives behind one call."""

    size: int
    objective: Objective

    def __call__(self, batch: Batch) -> Output:
        """All models on their rows of a batch."""
        ...

    def parameters(self) -> list[nn.Parameter]:
        """Those that train; in a stack each [K, …]."""
        ...

    def train(self, mode: bool) -> None:
        """Training or evaluation mode."""
        ...

    def member(self, k: int) -> State:
        """A copy of model k's parameters and buffers, named as in the plain model."""
        ...

    def state_dict(self) -> State:
        """Everything that training changes."""
        ...

    def load_state_dict(self, state: State) -> None:
        """Back to a saved state."""
        ...


class Single:
    """A group of one: the plain module."""

    size = 1

    def __init__(self, objective: Objective):
        self.objective = objective

    def __call__(self, batch: Batch) -> Output:
        """See `Ensemble`."""
        output: Output = self.objective(batch)
        return output

    def parameters(self) -> list[nn.Parameter]:
        """Those that train."""
        return [p for p in self.objective.parameters() if p.requires_grad]

    def train(self, mode: bool) -> None:
        """Training or evaluation mode."""
        self.objective.train(mode)

    def member(self, k: int) -> State:
        """See `Ensemble`."""
        return {name: t.detach().clone() for name, t in self.objective.model.state_dict().items()}

    def state_dict(self) -> State:
        """Everything that training changes."""
        return self.objective.model.state_dict()

    def load_state_dict(self, state: State) -> None:
        """See `Ensemble`."""
        self.objective.model.load_state_dict(state)


class Stack:
    """K objectives of one shape as one."""

    def __init__(self, objectives: list[Objective]):
        self.size = len(objectives)
        self.objective = objectives[0]
        self._params, self._buffers = stack_module_state([o.model for o in objectives])
        self._shell = copy.deepcopy(self.objective).to("meta")
        self._call = torch.vmap(self._one, randomness="different")

    def _one(self, params: State, buffers: State, batch: Batch) -> Output:
        named = {f"model.{name}": t for name, t in (params | buffers).items()}
        return functional_call(self._shell, named, (batch,))

    def __call__(self, batch: Batch) -> Output:
        """See `Ensemble`; the objective is the sum over the models."""
        output = self._call(self._params, self._buffers, batch)
        return Output(output.objective.sum(), output.sums, output.kept)

    def parameters(self) -> list[nn.Parameter]:
        """Those that train, each [K, …]."""
        return [p for p in self._params.values() if p.requires_grad]

    def train(self, mode: bool) -> None:
        """Training or evaluation mode."""
        self._shell.train(mode)

    def member(self, k: int) -> State:
        """See `Ensemble`."""
        return {name: t[k].detach().clone() for name, t in self.state_dict().items()}

    def state_dict(self) -> State:
        """Everything that training changes, each [K, …]."""
        return {name: t.detach() for name, t in (self._params | self._buffers).items()}

    def load_state_dict(self, state: State) -> None:
        """See `Ensemble`."""
        with torch.no_grad():
            for name, t in self.state_dict().items():
                t.copy_(state[name])


def assemble(objectives: list[Objective]) -> Ensemble:
    """One objective stays a plain module; several become a stack."""
    return Single(objectives[0]) if len(objectives) == 1 else Stack(objectives)


def why_not(model: nn.Module, others: Mapping[str, str | None]) -> str | None:
    """Why K such models can't be trained as one, or None when they can. others: parts with their own reasons."""
    for part, reason in others.items():
        if reason:
            return f"{part}: {reason}"
    for name, module in model.named_modules():
        reason = getattr(module, "unstackable", None)
        if isinstance(module, nn.RNNBase):
            reason = "torch's fused recurrent layers have no vmap rule"
        if reason:
            return f"layer {name or 'model'}: {reason}"
    return None
