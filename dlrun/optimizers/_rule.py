"""An optimizer from its `contracts.Rule`: for stacks whose models differ in their numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dlrun.contracts import OptimizerSpec, Rule

State = dict[str, Tensor]


def table(rule: Rule, rates: np.ndarray, first: int) -> np.ndarray:
    """The factors of updates `first`, `first` + 1, … with these learning rates. rates: [n, K], or [n, 1] where the
    rate is common. Returns float64 [n, F], or [n, F, K] where any factor is each model's own."""
    t = np.arange(first, first + len(rates))[:, None]
    found = rule.factors({**rule.numbers, "lr": rates}, t).values()
    whole = np.stack(np.broadcast_arrays(*found, np.zeros((len(rates), 1)))[:-1], axis=1)
    return whole if whole.shape[2] > 1 else whole[:, :, 0]


def advance(rule: Rule, weight: Tensor, gradient: Tensor, state: State, factors: Tensor) -> tuple[Tensor, State]:
    """One update of one weight: the new weight and all of its new state; nothing is changed in place. factors: a row
    of `table`, [F], or [F, K] for K stacked models [K, …], in the weight's dtype."""
    names = list(rule.factors({**rule.numbers, "lr": 1.0}, 1))
    counted = {"step": state["step"] + 1} if rule.counts else {}
    if factors.ndim == 1:
        new, changed = rule.update(weight, gradient, state, dict(zip(names, factors, strict=True)))
        return new, {**state, **changed, **counted}
    stacked = {name: s for name, s in state.items() if name != "step"}

    def one(w: Tensor, g: Tensor, s: State, own: Tensor) -> tuple[Tensor, State]:
        return rule.update(w, g, s, dict(zip(names, own, strict=True)))

    new, changed = torch.vmap(one, in_dims=(0, 0, 0, 1))(weight, gradient, stacked, factors)
    return new, {**state, **changed, **counted}


class RuleOptimizer(torch.optim.Optimizer):
    """Updates K stacked weights [K, …] by a rule whose numbers are arrays [K]. The learning rates stand in the one
    parameter group."""

    def __init__(self, params: Iterable[nn.Parameter], rule: Rule):
        super().__init__(params, {"lr": rule.numbers["lr"]})
        self.rule = rule

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor]) -> Tensor:  # type: ignore[override]
        """One update. The closure must enable gradients."""
        loss = closure()
        (group,) = self.param_groups
        rates = np.asarray(group["lr"], dtype=np.float64)[None]
        for weight in group["params"]:
            if weight.grad is None:
                continue
            state = self.state[weight] = self.state[weight] or self.rule.initial(weight)
            first = int(state["step"]) + 1 if self.rule.counts else 1
            factors = torch.from_numpy(table(self.rule, rates, first)[0]).to(weight.device, weight.dtype)
            new, changed = advance(self.rule, weight, weight.grad, state, factors)
            weight.copy_(new)
            for name, value in state.items():
                if changed[name] is not value:
                    value.copy_(changed[name])
        return loss


def combined(specs: Sequence[OptimizerSpec], apart: bool) -> OptimizerSpec:
    """One optimizer for K models that were to have one each, of the same kind but with numbers of their own. apart:
    their learning rates may part, even if they begin as one."""
    first = specs[0].rule
    rules = [spec.rule for spec in specs]
    assert first is not None
    if not apart and all(rule and rule.numbers == first.numbers for rule in rules):
        return specs[0]
    values: dict[str, list[Any]] = {name: [r.numbers[name] for r in rules if r] for name in first.numbers}
    # The rate is always each model's own: schedules may move them apart.
    numbers = {name: np.array(v) if name == "lr" or len(set(v)) > 1 else v[0] for name, v in values.items()}
    rule = replace(first, numbers=numbers)
    return OptimizerSpec(partial(RuleOptimizer, rule=rule), rule=rule)
