"""The last layer of every architecture: one Dense and one activation per target, by the book's table 4-1."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from dlrun.contracts import Column, DataSpec, Problem, TargetSpec
from dlrun.layers import dense
from dlrun.layers._activations import ACTIVATIONS, Activation
from dlrun.layers._initializers import Initializer
from dlrun.layers._spec import TensorSpec

LAST_ACTIVATION: dict[Problem, Activation] = {
    "binary": "sigmoid",
    "multiclass": "softmax",
    "multilabel": "sigmoid",
    "regression": "linear",
    "bounded_regression": "sigmoid",
}
"""Table 4-1, its first column (4.5.5); `losses/_table.py` has the second."""

OutputActivation = Activation | Literal["auto"]


class Head(nn.Module):
    """From features [B, F] (or `Bags`) to the model's outputs.

    For each target `t`: `outputs[t]`, activated, and `outputs[t + "_logits"]`, the value before. Their shape
    is [B] for binary and scalar regression, [B, classes] for multiclass and multilabel, [B, *shape]
    otherwise. output_activations: target to the name of its last activation, for `losses._table.check`.
    """

    output_activations: dict[str, Activation]

    def __init__(
        self,
        features: TensorSpec,
        spec: DataSpec,
        activation: OutputActivation = "auto",
        kernel_initializer: Initializer = "glorot_uniform",
    ):
        super().__init__()
        self.targets = dict(spec.targets)
        self.output_activations = {
            name: LAST_ACTIVATION[target.problem] if activation == "auto" else activation
            for name, target in self.targets.items()
        }
        # A list, because a ModuleDict refuses some names that a target may have.
        self.layers = nn.ModuleList(
            dense.build(features, units=target.units, kernel_initializer=kernel_initializer)
            for target in self.targets.values()
        )

    def forward(self, features: Column) -> dict[str, Tensor]:
        """Features [B, F] or `Bags`; returns the outputs by name."""
        outputs: dict[str, Tensor] = {}
        for (name, target), layer in zip(self.targets.items(), self.layers, strict=True):
            logits = layer(features)
            prediction = ACTIVATIONS[self.output_activations[name]](logits)
            outputs[name] = shaped(prediction, target)
            outputs[name + "_logits"] = shaped(logits, target)
        return outputs


def shaped(x: Tensor, target: TargetSpec) -> Tensor:
    """[B, units] in the shape of the targets; classes and labels keep their axis."""
    if target.problem in ("multiclass", "multilabel"):
        return x
    return x.reshape(x.shape[0], *target.shape)
