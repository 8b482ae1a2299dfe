"""Forward, loss, backward, one optimizer step: the whole training step."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from dlrun.contracts import Batch, OptimizerSpec, Output
from dlrun.optimizers._direct import direct_step, without_compiler
from dlrun.stack import Ensemble


def build(ensemble: Ensemble, optimizer: OptimizerSpec) -> Supervised:
    """A step over one model or a stack of K."""
    return Supervised(ensemble, optimizer)


class Supervised:
    """Holds the models and their optimizer."""

    def __init__(self, ensemble: Ensemble, optimizer: OptimizerSpec):
        without_compiler()
        self.ensemble = ensemble
        self.optimizer = optimizer.make(ensemble.parameters())
        self.step = direct_step(self.optimizer)

    def update(self, batch: Batch) -> Output:
        """One optimizer step. Returns what the batch gave before it."""
        given: list[Output] = []

        def closure() -> Tensor:
            with torch.enable_grad():
                self.optimizer.zero_grad(set_to_none=True)
                output = self.ensemble(batch)
                output.objective.backward()
            given.append(output)
            return output.objective.detach()

        self.step(closure)
        return given[0]  # L-BFGS asks several times; the first answer is of before the step

    def evaluate(self, batch: Batch) -> Output:
        """What the batch gives, in evaluation mode."""
        with torch.no_grad():
            return self.ensemble(batch)

    def state_dict(self) -> dict[str, Any]:
        """Tensors and plain data."""
        return {"models": self.ensemble.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Back to a saved state."""
        self.ensemble.load_state_dict(state["models"])
        self.optimizer.load_state_dict(state["optimizer"])
