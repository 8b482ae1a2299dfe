"""Weights of classes: what the loss of a training row counts by the class that it is of."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Tag

from dlrun.contracts import DataSpec
from dlrun.errors import ConfigError, Problem, available, nearest
from dlrun.types import NonNegative


def _kind(given: Any) -> str:
    return "dict[]" if isinstance(given, dict) else "literal"


ClassWeight = Annotated[
    Annotated[Literal["balanced"], Tag("literal")] | Annotated[dict[str | int, NonNegative], Tag("dict[]")],
    Discriminator(_kind),
]
"""As the config has it: by label, or by index. The kind is told first, so that an error is about what was meant."""

Resolved = Literal["balanced"] | tuple[float, ...] | None

PATH = "loss.class_weight"


def resolved(spec: DataSpec, key: str, given: ClassWeight | None) -> Resolved:
    """A number for each class of target `key`. Keys that are all labels are labels, also where they look like numbers;
    else they are indices. Raises ConfigError where a class is unknown or left out, and where a row has no one class.
    """
    target = spec.targets[key]
    if given is None:
        return None
    if target.problem not in ("binary", "multiclass"):
        message = f"expected null, because '{key}' is a {target.problem} target: its rows are not of one class each"
        raise ConfigError(Problem(PATH, message))
    if given == "balanced":
        return "balanced"
    assert isinstance(given, dict)
    if len({type(name) for name in given}) > 1:
        raise ConfigError(Problem(PATH, f"expected labels or indices of classes, received both: {given}"))
    weights = {str(name): float(weight) for name, weight in given.items()}
    labelled = weights.keys() <= set(target.labels) or not all(isinstance(name, int) for name in given)
    names = target.labels if target.labels and labelled else tuple(map(str, range(max(target.classes, 2))))
    problems = [
        Problem(
            f"{PATH}.{name}", f"target '{key}' has no such class", f"{nearest(name, names)} {available(names)}".strip()
        )
        for name in weights
        if name not in names
    ]
    left_out = [name for name in names if name not in weights]
    if left_out and not problems:
        shown = ", ".join(left_out[:12]) + (", …" if len(left_out) > 12 else "")
        problems.append(Problem(PATH, f"expected a weight for each class of '{key}', none was given for {shown}"))
    if problems:
        raise ConfigError(problems)
    return tuple(weights[name] for name in names)
