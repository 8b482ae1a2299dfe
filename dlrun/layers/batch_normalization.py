"""Each channel less the mean of its batch, divided by its deviation, with a learned scale and offset."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dlrun.layers._axes import from_end
from dlrun.layers._spec import TensorSpec, require_values
from dlrun.types import Positive, Rate


def build(
    inputs: TensorSpec,
    *,
    axis: int = -1,
    momentum: Rate = 0.99,
    epsilon: Positive = 1e-3,
    center: bool = True,
    scale: bool = True,
) -> nn.Module:
    """Keras's BatchNormalization (book section 7.3.1): [B, *shape] to the same shape.

    In training by the mean and variance of the batch over all axes but `axis`; in evaluation by their moving
    averages, which keep a share `momentum` of themselves in each update. The moving variance averages the variance
    of the batch as it is, with N as its divisor, as Keras 3 does; torch has N - 1, and so has TensorFlow's fused
    kernel, which Keras 2 used for pictures. axis: as Keras counts, 0 is the batch. center, scale: whether beta and
    gamma are learned. Raises ConfigError on multi-hot inputs, tokens and masked sequences.
    """
    found = from_end(axis, require_values(inputs, "batch_normalization"), "batch_normalization")
    return BatchNormalization(found, momentum, epsilon, center, scale, inputs)


class BatchNormalization(nn.Module):
    """gamma, beta: [C] or None. moving_mean, moving_variance: buffers [C]. Keras counts all four as weights.
    axis: counted from the end, below 0. frozen: it works as in evaluation, also while others train, as Keras's does
    that is not trainable. mixes_rows: as in `stack.mixes_rows`."""

    frozen = False

    gamma: nn.Parameter | None
    beta: nn.Parameter | None
    moving_mean: Tensor
    moving_variance: Tensor

    def __init__(self, axis: int, momentum: float, epsilon: float, center: bool, scale: bool, output: TensorSpec):
        super().__init__()
        channels = output.shape[axis]
        self.axis, self.momentum, self.epsilon = axis, momentum, epsilon
        self.output = output
        self.register_parameter("gamma", nn.Parameter(torch.ones(channels)) if scale else None)
        self.register_parameter("beta", nn.Parameter(torch.zeros(channels)) if center else None)
        self.register_buffer("moving_mean", torch.zeros(channels))
        self.register_buffer("moving_variance", torch.ones(channels))

    @property
    def mixes_rows(self) -> bool:
        """Whether rows of a batch feel each other."""
        return not self.frozen

    def forward(self, inputs: Tensor) -> Tensor:
        """[B, *shape] to the same."""
        if self.axis != -1:
            return self._second(inputs.movedim(self.axis, 1)).movedim(1, self.axis)
        if inputs.ndim == 2:
            return self._second(inputs)
        # As rows of channels: torch's kernels are no slower on pictures so, and four times as fast on sequences.
        return self._second(inputs.reshape(-1, inputs.shape[-1])).view(inputs.shape)

    def _second(self, x: Tensor) -> Tensor:
        """[N, C, ...] to the same."""
        gamma, beta, mean, variance = self.gamma, self.beta, self.moving_mean, self.moving_variance
        if self.frozen or not self.training:
            return torch.native_batch_norm(x, gamma, beta, mean, variance, False, 0.0, self.epsilon)[0]
        # The kernel beneath F.batch_norm, which would keep the batch's mean and variance to itself.
        y, batch_mean, inverse = torch.native_batch_norm(x, gamma, beta, None, None, True, 0.0, self.epsilon)
        share = 1.0 - self.momentum
        mean.mul_(self.momentum).add_(batch_mean, alpha=share)
        variance.mul_(self.momentum).add_(inverse.pow(-2).sub_(self.epsilon), alpha=share)
        return y

    def extra_repr(self) -> str:
        """Sizes and numbers, for a printed model."""
        return f"{len(self.moving_mean)}, axis={self.axis}, momentum={self.momentum}, epsilon={self.epsilon}"
