"""An optimizer from its `contracts.Rule`: for stacks whose models differ in their numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from dlrun.contracts import OptimizerSpec, Rule
from dlrun.contracts.learning import Numbers

State = dict[str, Tensor]


def advance(
    rule: Rule, weight: Tensor, gradient: Tensor, state: State, numbers: Mapping[str, Tensor | float]
) -> tuple[Tensor, State]:
    """One update of one weight: the new weight and all of its new state; nothing is changed in place.

    numbers: floats, scalars, or float64 [K] where each of K stacked models has its own; the weight is then [K, …].
    """
    counted: State = {"step": state["step"] + 1} if rule.counts else {}
    t = counted["step"].double() if counted else torch.zeros((), dtype=torch.float64, device=weight.device)
    own = {name: n for name, n in numbers.items() if isinstance(n, Tensor) and n.ndim}
    if not own:
        new, changed = rule.update(weight, gradient, state, numbers, t)
        return new, {**state, **changed, **counted}
    stacked = {name: s for name, s in state.items() if name != "step"}

    def one(w: Tensor, g: Tensor, s: State, own: Mapping[str, Tensor]) -> tuple[Tensor, State]:
        return rule.update(w, g, s, {**numbers, **own}, t)

    new, changed = torch.vmap(one)(weight, gradient, stacked, own)
    return new, {**state, **changed, **counted}


class RuleOptimizer(torch.optim.Optimizer):
    """Updates K stacked weights [K, …] by a rule. The numbers stand in the one parameter group."""

    def __init__(self, params: Iterable[nn.Parameter], rule: Rule, numbers: Numbers):
        super().__init__(params, dict(numbers))
        self.rule = rule

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor]) -> Tensor:  # type: ignore[override]
        """One update. The closure must enable gradients."""
        loss = closure()
        (group,) = self.param_groups
        numbers = {name: group[name] for name in self.rule.numbers}
        for weight in group["params"]:
            if weight.grad is None:
                continue
            state = self.state[weight] or self.rule.initial(weight)
            self.state[weight] = state
            new, changed = advance(self.rule, weight, weight.grad, state, numbers)
            weight.copy_(new)
            for name, value in state.items():
                value.copy_(changed[name])
        return loss


def combined(specs: Sequence[OptimizerSpec], device: torch.device, apart: bool) -> OptimizerSpec:
    """One optimizer for K models that were to have one each, of the same kind but with numbers of their own. apart:
    their learning rates may part, even if they begin as one."""
    first = specs[0].rule
    rules = [spec.rule for spec in specs]
    assert first is not None
    if not apart and all(rule and rule.numbers == first.numbers for rule in rules):
        return specs[0]
    values: dict[str, list[Any]] = {name: [r.numbers[name] for r in rules if r] for name in first.numbers}
    # The rate is always each model's own: schedules may move them apart.
    numbers = {
        name: torch.tensor(v, dtype=torch.float64, device=device) if name == "lr" or len(set(v)) > 1 else v[0]
        for name, v in values.items()
    }
    rule = replace(first, numbers=numbers)
    return OptimizerSpec(partial(RuleOptimizer, rule=rule, numbers=numbers), rule=rule)
