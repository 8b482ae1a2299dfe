"""Rectified linear units whose slope below 0 is learned."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dlrun.layers._axes import distinct_from_end
from dlrun.layers._elementwise import keeps_mask
from dlrun.layers._initializers import Initializer, initial
from dlrun.layers._spec import TensorSpec, require_values
from dlrun.types import Count


def build(
    inputs: TensorSpec, *, alpha_initializer: Initializer = "zeros", shared_axes: list[Count] | None = None
) -> nn.Module:
    """Keras's PReLU: x where x > 0, alpha * x below; [B, *shape] to the same shape.

    shared_axes: along which one alpha serves all, counted from 1; [1, 2] gives pictures one per channel. Without
    them each number of a row has its own. Raises ConfigError on multi-hot inputs and tokens.
    """
    shape = list(require_values(inputs, "prelu", masked=True).shape)
    for axis in distinct_from_end(shared_axes, inputs, "prelu") if shared_axes else ():
        shape[axis] = 1
    return PReLU(nn.Parameter(initial(alpha_initializer, tuple(shape))), inputs)


class PReLU(nn.Module):
    """alpha: [*shape], shared axes 1."""

    def __init__(self, alpha: nn.Parameter, output: TensorSpec):
        super().__init__()
        self.alpha = alpha
        self.output = output

    @keeps_mask
    def forward(self, inputs: Tensor) -> Tensor:
        """[B, *shape] to the same."""
        return torch.where(inputs > 0, inputs, self.alpha * inputs)

    def extra_repr(self) -> str:
        """The slopes' shape, for a printed model."""
        return str(tuple(self.alpha.shape))
