"""Mean absolute error in deviations of the target: what mae is for a target whose mean is 0 and deviation 1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from dlrun.contracts import DataSpec, Metric
from dlrun.errors import ConfigError, Problem
from dlrun.losses._rows import row_mean, target_name
from dlrun.metrics._mean import RowMean


def build(spec: DataSpec, *, target: str | None = None) -> Metric:
    """Mean over rows of |error| / deviation, where the deviation is that by which the target is standardised: of the
    training rows (the book's unit in section 6.3).

    target: the one to read, may be left out where there is only one. Raises ConfigError for one that is not
    standardised.
    """
    name = target_name(spec, target, "metrics.normalised_mae.target")
    if spec.targets[name].standardize == "no":
        message = f"expected a standardised target, '{name}' is learned as it is"
        raise ConfigError(Problem("metrics.normalised_mae", message, "set dataset.normalize=train, or take mae"))
    return NormalisedError(name)


@dataclass
class NormalisedError:
    """See `build`."""

    key: str
    higher_is_better: bool = False
    state_size: int = 2
    of_deviations = True  # which a model gives whose last layer is linear

    def update(self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor], mask: Tensor | None) -> Tensor:
        """See `_mean.RowMean`. outputs: also `<key>_deviation`, [*shape]."""
        deviation = outputs[f"{self.key}_deviation"]

        def error(predictions: Tensor, true: Tensor) -> Tensor:
            return row_mean((predictions - true).abs() / deviation)

        return RowMean(self.key, False, error).update(outputs, targets, mask)

    def compute(self, state: Tensor) -> float:
        """The mean from a summed state [2]; NaN where no row was counted."""
        total, count = state.tolist()
        return total / count if count else float("nan")
