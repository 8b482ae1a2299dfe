"""R²: the share of the target's variance that the prediction explains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from dlrun.contracts import DataSpec, Metric
from dlrun.metrics._decisions import weights
from dlrun.metrics._mean import metric_target

ROUNDING = 1e-13
"""A variance below this share of the mean square is rounding: the target is constant."""


def build(spec: DataSpec, *, target: str | None = None) -> Metric:
    """1 for a perfect prediction, 0 for the mean, below 0 for worse; of several numbers the mean of theirs.

    As scikit-learn's `r2_score`: on a constant target 1 where each prediction is right, else 0; NaN for less
    than two rows. target: the one to read, may be left out where there is only one. Raises ConfigError on
    classification.
    """
    key, _ = metric_target(spec, target, "r2", ("regression", "bounded_regression"))
    return R2(key, spec.targets[key].units)


@dataclass
class R2:
    """The state is [1 + 3U] for U numbers per row: rows, then the sums of y, y² and (y - prediction)².

    The sums are float64, for the variance is what is left of them: at a mean of 10,000 standard deviations it
    keeps 7 digits, at 100,000 it keeps 5. A device without float64 (MPS) sums in float32.
    """

    key: str
    units: int
    higher_is_better: bool = True
    state_size: int = field(init=False)

    def __post_init__(self) -> None:
        self.state_size = 1 + 3 * self.units

    def update(self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor], mask: Tensor | None) -> Tensor:
        """Sums of one batch, float64 [1 + 3U]. mask: float [B] or None for all rows."""
        dtype = torch.float32 if targets[self.key].device.type == "mps" else torch.float64
        true, said = (part[self.key].to(dtype).reshape(-1, self.units) for part in (targets, outputs))
        rows = weights(true, mask)
        sums = [(part * rows[:, None]).sum(0) for part in (true, true.square(), (true - said).square())]
        return torch.cat([rows.sum().reshape(1), *sums])

    def compute(self, state: Tensor) -> float:
        """R² from summed states [1 + 3U]."""
        rows, sums = state[0], state[1:].double().reshape(3, self.units)
        if rows < 2:
            return float("nan")
        total, squares, errors = sums
        spread = squares - total.square() / rows
        constant = spread <= ROUNDING * squares
        return float(torch.where(constant, (errors == 0).double(), 1 - errors / spread).mean())
