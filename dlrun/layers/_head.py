"""The last layer of every architecture: its activation by the book's table 4-1, and its shape."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from dlrun.contracts import Problem, TargetSpec
from dlrun.layers._activations import Activation

LAST_ACTIVATION: dict[Problem, Activation] = {
    "binary": "sigmoid",
    "multiclass": "softmax",
    "multilabel": "sigmoid",
    "regression": "linear",
    "bounded_regression": "sigmoid",
}
"""Table 4-1, its first column (4.5.5); `losses/_table.py` has the second."""

OutputActivation = Activation | Literal["auto"]


def shaped(x: Tensor, target: TargetSpec) -> Tensor:
    """[B, units] in the shape of the targets; classes and labels keep their axis."""
    if target.problem in ("multiclass", "multilabel"):
        return x
    return x.reshape(x.shape[0], *target.shape)
