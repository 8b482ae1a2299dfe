"""Mean squared error of the prediction, after the last activation."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from dlrun.contracts import DataSpec, Loss
from dlrun.losses._rows import like, row_mean, target_name


def build(spec: DataSpec, *, target: str | None = None) -> Loss:
    """Per row the mean of (prediction - target) squared (book section 3.6.3); class indices are compared as
    one-hot rows, as in the book's `mnist_dense_api`.

    target: the one to read, may be left out where there is only one. Raises ConfigError.
    """
    return MeanSquaredError(target_name(spec, target, "loss.target"))


class MeanSquaredError:
    """Reads `outputs[key]` [B, ...] and `targets[key]` of the same shape, or class indices [B]; returns
    [B]."""

    name = "mse"

    def __init__(self, key: str):
        self.key = key

    def __call__(self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> Tensor:
        """One value per row, [B]."""
        predictions = outputs[self.key]
        return row_mean((predictions - like(targets[self.key], predictions)).square())
