"""The median target of the training rows, whatever the input (book 4.5.5)."""

from __future__ import annotations

from torch import Tensor

from dlrun.contracts import Rows, TargetSpec


def build() -> Median:
    """The constant with the least absolute error; says nothing about classes."""
    return Median()


class Median:
    """See `build`."""

    kind = "median"
    reads_inputs = False

    def outputs(self, key: str, target: TargetSpec, train: Rows, scored: Rows, seed: int) -> list[Tensor] | None:
        """[N, *target.shape], in the target's unit; of an even number of rows the lower of the two in the middle."""
        if target.problem not in ("regression", "bounded_regression"):
            return None
        value = train.targets[key].float().median(0).values
        return [value.expand(len(scored.targets[key]), *value.shape)]
