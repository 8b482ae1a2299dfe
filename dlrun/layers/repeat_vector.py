"""A vector as every step of a sequence."""

from __future__ import annotations

from torch import Tensor, nn

from dlrun.layers._spec import TensorSpec, require_values
from dlrun.types import Count


def build(inputs: TensorSpec, *, n: Count) -> nn.Module:
    """Keras's RepeatVector: [B, C] to [B, n, C]. Raises ConfigError on anything but vectors."""
    return RepeatVector(n, TensorSpec((n, *require_values(inputs, "repeat_vector", "channels").shape)))


class RepeatVector(nn.Module):
    """n: steps."""

    def __init__(self, n: int, output: TensorSpec):
        super().__init__()
        self.n = n
        self.output = output

    def forward(self, inputs: Tensor) -> Tensor:
        """[B, C] to [B, n, C], a view that takes no memory."""
        return inputs.unsqueeze(1).expand(-1, self.n, -1)

    def extra_repr(self) -> str:
        """The steps, for a printed model."""
        return f"n={self.n}"
