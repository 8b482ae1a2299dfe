"""Each row's channels less their mean, divided by their deviation, with a learned scale and offset."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlrun.layers._axes import distinct_from_end
from dlrun.layers._elementwise import keeps_mask
from dlrun.layers._spec import TensorSpec, require_values
from dlrun.types import Positive


def build(
    inputs: TensorSpec,
    *,
    axis: int | list[int] = -1,
    epsilon: Positive = 1e-3,
    center: bool = True,
    scale: bool = True,
) -> nn.Module:
    """Keras's LayerNormalization: [B, *shape] to the same shape, by mean and variance over `axis`, row by row.

    axis: one or several, as Keras counts, 0 is the batch; gamma and beta have their sizes. center, scale: whether
    beta and gamma are learned. Raises ConfigError on multi-hot inputs, tokens, and over the steps of a masked
    sequence, whose padding would be counted.
    """
    values = inputs.encoding == "values"
    axes = distinct_from_end([axis] if isinstance(axis, int) else axis, inputs, "layer_normalization") if values else []
    require_values(inputs, "layer_normalization", masked=-len(inputs.shape) not in axes)
    return LayerNormalization(tuple(axes), epsilon, center, scale, inputs)


class LayerNormalization(nn.Module):
    """gamma, beta: sizes of the axes, or None. axes: counted from the end, below 0, in order."""

    gamma: nn.Parameter | None
    beta: nn.Parameter | None

    def __init__(self, axes: tuple[int, ...], epsilon: float, center: bool, scale: bool, output: TensorSpec):
        super().__init__()
        sizes = [output.shape[axis] for axis in axes]
        self.axes, self.epsilon = axes, epsilon
        self.last = tuple(range(-len(axes), 0))
        self.output = output
        self.register_parameter("gamma", nn.Parameter(torch.ones(sizes)) if scale else None)
        self.register_parameter("beta", nn.Parameter(torch.zeros(sizes)) if center else None)

    @keeps_mask
    def forward(self, inputs: Tensor) -> Tensor:
        """[B, *shape] to the same."""
        if self.axes == self.last:
            return self._normalised(inputs)
        return self._normalised(inputs.movedim(self.axes, self.last)).movedim(self.last, self.axes)

    def _normalised(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, x.shape[-len(self.axes) :], self.gamma, self.beta, self.epsilon)

    def extra_repr(self) -> str:
        """Axes and numbers, for a printed model."""
        return f"axis={list(self.axes)}, epsilon={self.epsilon}"
