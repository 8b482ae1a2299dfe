"""Each row as one vector: [B, *shape] to [B, size]."""

from __future__ import annotations

from torch import Tensor, nn

from dlrun.layers._spec import TensorSpec, require_values


def build(inputs: TensorSpec) -> nn.Module:
    """Keras's Flatten (book section 5.1), in the order of the axes: the last one moves fastest.

    Raises ConfigError on multi-hot inputs, which are vectors already.
    """
    return Flatten(TensorSpec((require_values(inputs, "flatten").size,)))


class Flatten(nn.Module):
    """Keeps the batch axis, joins all others."""

    def __init__(self, output: TensorSpec):
        super().__init__()
        self.output = output

    def forward(self, inputs: Tensor) -> Tensor:
        """[B, *shape] to [B, size]."""
        return inputs.flatten(1) if inputs.ndim > 1 else inputs.unsqueeze(1)
