"""Numbers above a threshold as they are, all others 0."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from dlrun.layers._elementwise import keeps_mask
from dlrun.layers._spec import TensorSpec, require_values
from dlrun.types import NonNegative


def build(inputs: TensorSpec, *, theta: NonNegative = 1.0) -> nn.Module:
    """Keras's ThresholdedReLU: x where x > theta, else 0; [B, *shape] to the same shape.

    Raises ConfigError on multi-hot inputs and tokens.
    """
    return ThresholdedReLU(theta, require_values(inputs, "thresholded_relu", masked=True))


class ThresholdedReLU(nn.Module):
    """theta: the threshold."""

    def __init__(self, theta: float, output: TensorSpec):
        super().__init__()
        self.theta = theta
        self.output = output

    @keeps_mask
    def forward(self, inputs: Tensor) -> Tensor:
        """[B, *shape] to the same."""
        return F.threshold(inputs, self.theta, 0.0)

    def extra_repr(self) -> str:
        """The threshold, for a printed model."""
        return f"theta={self.theta}"
