"""What it is given, unchanged: a name for a place in a graph."""

from __future__ import annotations

from torch import Tensor, nn

from dlrun.contracts import Masked
from dlrun.layers._spec import TensorSpec, require_values


def build(inputs: TensorSpec) -> nn.Module:
    """Keras's Identity: [B, *shape] to itself; tokens and masked sequences, too. Raises ConfigError on multi-hot
    inputs, which only a dense layer reads."""
    return Identity(inputs if inputs.encoding == "tokens" else require_values(inputs, "identity", masked=True))


class Identity(nn.Module):
    """No copy is made."""

    def __init__(self, output: TensorSpec):
        super().__init__()
        self.output = output

    def forward(self, inputs: Tensor | Masked) -> Tensor | Masked:
        """The very same."""
        return inputs
