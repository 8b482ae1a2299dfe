"""The mean target of the training rows, whatever the input (book 4.5.5)."""

from __future__ import annotations

from torch import Tensor

from dlrun.contracts import Rows, TargetSpec


def build() -> Mean:
    """The constant with the least squared error; says nothing about classes."""
    return Mean()


class Mean:
    """See `build`."""

    kind = "mean"
    reads_inputs = False

    def outputs(self, key: str, target: TargetSpec, train: Rows, scored: Rows, seed: int) -> list[Tensor] | None:
        """[N, *target.shape], in the target's unit."""
        if target.problem not in ("regression", "bounded_regression"):
            return None
        value = train.targets[key].double().mean(0).float()
        return [value.expand(len(scored.targets[key]), *value.shape)]
