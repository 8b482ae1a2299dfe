"""An activation function as a layer of its own."""

from __future__ import annotations

from torch import Tensor, nn

from dlrun.contracts import Masked
from dlrun.layers._activations import ACTIVATIONS, Activation
from dlrun.layers._spec import TensorSpec, require_values


def build(inputs: TensorSpec, *, activation: Activation) -> nn.Module:
    """Keras's Activation: [B, *shape] to [B, *shape]. Raises ConfigError on multi-hot inputs."""
    return ActivationLayer(activation, require_values(inputs, "activation", masked=True))


class ActivationLayer(nn.Module):
    """Applies the named function; softmax over the last axis."""

    def __init__(self, activation: Activation, output: TensorSpec):
        super().__init__()
        self.activation = activation
        self.output = output

    def forward(self, inputs: Tensor | Masked) -> Tensor | Masked:
        """[B, *shape] to [B, *shape]; a mask on steps is passed on."""
        if isinstance(inputs, Masked):
            return Masked(ACTIVATIONS[self.activation](inputs.values), inputs.mask)
        return ACTIVATIONS[self.activation](inputs)

    def extra_repr(self) -> str:
        """The function's name, for a printed model."""
        return self.activation
