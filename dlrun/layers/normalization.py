"""Each number less its mean, divided by its standard deviation, both learned from training rows."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dlrun.layers._spec import TensorSpec, require_values

PORTION = 65_536  # rows


def build(inputs: TensorSpec) -> nn.Module:
    """Keras's Normalization over all axes but the first (book sections 3.6.2 and 4.3.1), to be adapted before use.

    A missing value (NaN) becomes 0, the mean. Raises ConfigError on multi-hot inputs.
    """
    return Normalization(require_values(inputs, "normalization"))


class Normalization(nn.Module):
    """mean, std: buffers [*shape]; 0 and 1 until `adapt`."""

    mean: Tensor
    std: Tensor

    def __init__(self, output: TensorSpec):
        super().__init__()
        self.output = output
        self.register_buffer("mean", torch.zeros(output.shape))
        self.register_buffer("std", torch.ones(output.shape))

    @torch.no_grad()
    def adapt(self, values: Tensor) -> None:
        """Learn from rows [N, *shape], leaving missing values out; N is the divisor, as in numpy. What does not
        vary keeps the divisor 1, and so becomes 0."""
        count = (~values.isnan()).sum(0).clamp(min=1)
        parts = values.split(PORTION)  # float64 copies of everything at once would be most of the memory
        mean = sum(part.double().nansum(0) for part in parts) / count
        std = (sum(((part.double() - mean) ** 2).nansum(0) for part in parts) / count).sqrt()
        self.mean.copy_(mean)
        self.std.copy_(torch.where(std > 1e-12 * mean.abs().clamp(min=1e-300), std, 1.0))

    def forward(self, inputs: Tensor) -> Tensor:
        """[B, *shape] to the same."""
        x = (inputs - self.mean) / self.std
        return torch.where(x.isnan(), 0.0, x)

    def inverse(self, outputs: Tensor) -> Tensor:
        """[B, *shape] back to numbers as they were before."""
        return outputs * self.std + self.mean
