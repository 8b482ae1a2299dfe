"""A loss for each target with a weight for each: what is minimised is their weighted sum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dlrun import registry
from dlrun.contracts import DataSpec, Loss
from dlrun.errors import ConfigError, Problem, available, nearest
from dlrun.losses._class_weight import PATH, ClassWeight
from dlrun.losses._sum import Sum
from dlrun.types import NonNegative


def build(
    spec: DataSpec,
    *,
    losses: dict[str, str] | None = None,
    weights: dict[str, NonNegative] | None = None,
    class_weight: dict[str, ClassWeight | None] | None = None,
) -> Sum:
    """Keras's `loss` and `loss_weights` by the names of outputs (book 7.1.3, listings 7-4 and 7-5).

    losses: target to the name of a loss, with its defaults; a target that is left out takes that of table 4-1. weights:
    target to the factor of its loss in the sum, 1 where left out. class_weight: target to what its loss takes
    under that name. Raises ConfigError for unknown targets and losses.
    """
    losses, weights, class_weight = losses or {}, weights or {}, class_weight or {}
    problems = [
        Problem(f"loss.{argument}.{name}", f"no target '{name}' in the data",
                f"{nearest(name, spec.targets)} {available(spec.targets)}".strip())
        for argument, given in (("losses", losses), ("weights", weights), ("class_weight", class_weight))
        for name in given
        if name not in spec.targets
    ]  # fmt: skip
    terms: dict[str, Loss] = {}
    for target in spec.targets:
        try:
            terms[target] = _term(spec, target, losses.get(target, "auto"), class_weight)
        except ConfigError as error:
            problems += [replace(problem, path=_path(problem.path, target)) for problem in error.problems]
    if problems:
        raise ConfigError(problems)
    return Sum("per_output", terms, {target: float(weights.get(target, 1)) for target in terms})


def _term(spec: DataSpec, target: str, name: str, class_weight: Mapping[str, Any]) -> Loss:
    if name == "per_output":
        raise ConfigError(Problem("loss", "expected the loss of one target, received 'per_output'"))
    made = registry.load("loss", name)
    takes = registry.arguments(made)
    if "target" not in takes:
        raise ConfigError(Problem("loss", f"loss {name} has no argument 'target', so it can't be told which to read"))
    given = {"class_weight": class_weight[target]} if class_weight.get(target) is not None else {}
    if given and "class_weight" not in takes:
        raise ConfigError(Problem(PATH, f"expected null, because loss {name} has no weights of classes"))
    loss: Loss = made(spec, target=target, **given)
    return loss


def _path(path: str, target: str) -> str:
    """Where the argument stands here that stands at `path` of a single loss."""
    if path.startswith(PATH):
        return f"{PATH}.{target}{path.removeprefix(PATH)}"
    return f"loss.losses.{target}"
