"""Some models of a step as a step of their own: what one of several runs sees that are trained as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dlrun.contracts import Step
from dlrun.stack import State


class Models:
    """Some members of an ensemble, counted from 0."""

    def __init__(self, ensemble: Any, members: Sequence[int]):
        self._ensemble, self._members = ensemble, members
        self.size = len(members)
        self.objective = ensemble.objective

    def member(self, k: int) -> State:
        """A copy of model k's parameters and buffers, named as in the plain model."""
        return self._ensemble.member(self._members[k])


class Rates:
    """In an optimizer's place where it has several runs' models: what schedules set for one of them."""

    def __init__(self, lr: float):
        self.param_groups: list[dict[str, Any]] = [{"lr": lr}]


class Part:
    """members: this run's, by their place in the step's ensemble. optimizer: the step's own, or where other runs
    have models in it, too, one of this run that has a learning rate only. lr: that rate."""

    def __init__(self, step: Step, members: Sequence[int], lr: float | None = None):
        self._step, self.members = step, list(members)
        self.ensemble = Models(step.ensemble, self.members)
        self.optimizer: Any = step.optimizer if lr is None else Rates(lr)

    def state_dict(self) -> dict[str, Any]:
        """Models and what the optimizer keeps of them, and the learning rate."""
        group = self.optimizer.param_groups[0]
        rates = {name: group[name] for name in ("lr", "initial_lr") if name in group}
        return {**self._step.state_dict(self.members), "rates": rates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Back to a saved state."""
        self._step.load_state_dict(state, self.members)
        self.optimizer.param_groups[0].update(state["rates"])
