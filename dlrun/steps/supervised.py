"""Forward, loss, backward, one optimizer step: the whole training step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from dlrun.contracts import Batch, OptimizerSpec, Output
from dlrun.optimizers._direct import direct_step, without_compiler
from dlrun.stack import Ensemble
from dlrun.steps._clipping import clipped
from dlrun.types import Positive


def build(
    ensemble: Ensemble,
    optimizer: OptimizerSpec,
    *,
    clipnorm: Positive | None = None,
    clipvalue: Positive | None = None,
) -> Supervised:
    """A step over one model or a stack of K.

    clipnorm: gradients of a model that are longer than this, all its weights together, are scaled down to it, as
    in the book's Keras (Keras 3 calls that `global_clipnorm`). clipvalue: then each element is cut to ±clipvalue.
    """
    return Supervised(ensemble, optimizer, clipnorm, clipvalue)


class Supervised:
    """Holds the models and their optimizer."""

    def __init__(
        self,
        ensemble: Ensemble,
        optimizer: OptimizerSpec,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
    ):
        without_compiler()
        self.ensemble = ensemble
        self.rule = optimizer.rule
        self.weights = ensemble.parameters()
        self.optimizer = optimizer.make(self.weights)
        self.clipnorm, self.clipvalue = clipnorm, clipvalue
        self.step = direct_step(self.optimizer)

    def update(self, batch: Batch) -> Output:
        """One optimizer step. Returns what the batch gave before it."""
        given: list[Output] = []

        def closure() -> Tensor:
            with torch.enable_grad():
                self.optimizer.zero_grad(set_to_none=True)
                output = self.ensemble(batch)
                output.objective.backward()
            if self.clipnorm or self.clipvalue:
                moved = [w for w in self.weights if w.grad is not None]
                gradients = self.clip([w.grad for w in moved if w.grad is not None])
                for weight, gradient in zip(moved, gradients, strict=True):
                    weight.grad = gradient
            given.append(output)
            return output.objective.detach()

        self.step(closure)
        return given[0]  # L-BFGS asks several times; the first answer is of before the step

    def clip(self, gradients: list[Tensor]) -> list[Tensor]:
        """All gradients of the models within their bounds."""
        return clipped(gradients, self.clipnorm, self.clipvalue, stacked=self.ensemble.size > 1)

    def evaluate(self, batch: Batch) -> Output:
        """What the batch gives, in evaluation mode."""
        with torch.no_grad():
            return self.ensemble(batch)

    def slots(self) -> list[dict[str, Tensor]]:
        """The optimizer's state per weight, made where there is none yet. For optimizers that have a rule."""
        assert self.rule is not None
        for weight in self.weights:
            if not self.optimizer.state[weight]:
                self.optimizer.state[weight] = self.rule.initial(weight.detach())
        return [self.optimizer.state[weight] for weight in self.weights]

    def state_dict(self, members: Sequence[int]) -> dict[str, Any]:
        """Some models and what the optimizer keeps of them: tensors and plain data, the same for a model in a stack
        as for one alone where the optimizer has a rule."""
        models = [self.ensemble.member(k) for k in members]
        if self.rule is None:
            return {"models": models, "optimizer": self.optimizer.state_dict()}
        slots = self.slots()
        return {"models": models, "slots": [[_member(s, k, self.ensemble.size) for s in slots] for k in members]}

    def load_state_dict(self, state: dict[str, Any], members: Sequence[int]) -> None:
        """Back to a saved state."""
        for k, model in zip(members, state["models"], strict=True):
            self.ensemble.set_member(k, model)
        if self.rule is None:
            self.optimizer.load_state_dict(state["optimizer"])
            return
        slots = self.slots()
        for k, saved in zip(members, state["slots"], strict=True):
            for slot, values in zip(slots, saved, strict=True):
                for name, value in _member(slot, k, self.ensemble.size, copy=False).items():
                    value.copy_(values[name])


def _member(slot: dict[str, Tensor], k: int, size: int, copy: bool = True) -> dict[str, Tensor]:
    """Model k's part of a weight's state; `step` is common to all."""
    own = {n: t if size == 1 or n == "step" else t[k] for n, t in slot.items()}
    return {n: t.detach().clone() for n, t in own.items()} if copy else own
