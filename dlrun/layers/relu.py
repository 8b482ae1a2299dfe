"""Rectified linear units, with a slope, a threshold or an upper limit where wanted."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlrun.errors import ConfigError, Problem
from dlrun.layers._elementwise import keeps_mask
from dlrun.layers._spec import TensorSpec, require_values
from dlrun.types import NonNegative


def build(
    inputs: TensorSpec,
    *,
    max_value: NonNegative | None = None,
    negative_slope: NonNegative = 0.0,
    threshold: NonNegative = 0.0,
) -> nn.Module:
    """Keras's ReLU: [B, *shape] to the same shape.

    f(x) = max_value where x >= max_value, x where threshold < x < max_value, negative_slope * (x - threshold)
    otherwise; max_value 6 is the relu6 of MobileNet. Raises ConfigError on multi-hot inputs and tokens, and where
    max_value lies below the threshold.
    """
    if max_value is not None and max_value < threshold:
        message = f"layer relu expects max_value >= threshold, received {max_value} and {threshold}"
        raise ConfigError(Problem("architecture", message, "raise max_value or lower threshold"))
    return ReLU(max_value, negative_slope, threshold, require_values(inputs, "relu", masked=True))


class ReLU(nn.Module):
    """One pass over the numbers wherever torch has one for it."""

    def __init__(self, max_value: float | None, negative_slope: float, threshold: float, output: TensorSpec):
        super().__init__()
        self.max_value, self.negative_slope, self.threshold = max_value, negative_slope, threshold
        self.output = output

    @keeps_mask
    def forward(self, inputs: Tensor) -> Tensor:
        """[B, *shape] to the same."""
        if self.threshold:
            below = self.negative_slope * (inputs - self.threshold)
            x = torch.where(inputs > self.threshold, inputs, below)
        elif self.negative_slope:
            x = F.leaky_relu(inputs, self.negative_slope)
        elif self.max_value is not None:
            return F.hardtanh(inputs, 0.0, self.max_value)
        else:
            return torch.relu(inputs)
        return x if self.max_value is None else x.clamp(max=self.max_value)

    def extra_repr(self) -> str:
        """All numbers, for a printed model."""
        return f"max_value={self.max_value}, negative_slope={self.negative_slope}, threshold={self.threshold}"
