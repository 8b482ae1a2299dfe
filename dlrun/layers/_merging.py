"""What layers of several inputs share: which inputs fit each other, and a module that folds them into one."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

from torch import Tensor, nn

from dlrun.errors import ConfigError, Problem
from dlrun.layers._spec import TensorSpec, require_values


def several(inputs: list[TensorSpec] | TensorSpec, layer: str, exactly: int = 0) -> list[TensorSpec]:
    """The inputs, or a ConfigError where they are not at least two, or `exactly` so many, or no values."""
    given = [inputs] if isinstance(inputs, TensorSpec) else list(inputs)
    for one in given:
        require_values(one, layer)
    if len(given) != exactly if exactly else len(given) < 2:
        wanted = {0: "at least two inputs", 2: "two inputs"}[exactly]
        received = f"{len(given)}: {shapes(given)}" if given else "none"
        raise ConfigError(Problem("architecture", f"{layer} needs {wanted}, received {received}", "name its inputs"))
    return given


def shapes(inputs: list[TensorSpec]) -> str:
    """All of them, for a message: `(2,), (3, 4) and (5,)`."""
    names = [str(one) for one in inputs]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


class Merge(nn.Module):
    """Inputs folded by a function of two, element by element, the first two first."""

    def __init__(self, function: Callable[[Tensor, Tensor], Tensor], output: TensorSpec):
        super().__init__()
        self.function = function
        self.output = output

    def forward(self, *inputs: Tensor) -> Tensor:
        """Each [B, *shape], an axis of size 1 serving all places of another's; returns [B, *shape]."""
        return reduce(self.function, inputs)


def element_by_element(
    inputs: list[TensorSpec] | TensorSpec, layer: str, function: Callable[[Tensor, Tensor], Tensor], exactly: int = 0
) -> Merge:
    """The layer for such inputs. Raises ConfigError unless they have one shape, but for sizes of 1."""
    given = several(inputs, layer, exactly)
    ranks = {len(one.shape) for one in given}
    sizes = [set(along) - {1} for along in zip(*(one.shape for one in given), strict=False)]
    if len(ranks) > 1 or any(len(along) > 1 for along in sizes):
        message = f"{layer} needs inputs of one shape, received {shapes(given)}"
        raise ConfigError(Problem("architecture", message, "bring them to one shape first; only a size of 1 spreads"))
    return Merge(function, TensorSpec(tuple(next(iter(along), 1) for along in sizes)))
