"""Convolutions of sequences, pictures and volumes: plain, in groups, and what depthwise and transposed ones share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlrun.errors import ConfigError, Problem
from dlrun.layers._activations import ACTIVATIONS, Activation
from dlrun.layers._initializers import Initializer, initial
from dlrun.layers._penalty import weight_penalty
from dlrun.layers._spec import TensorSpec
from dlrun.layers._windows import CausalPadding, Windows, channels_first, channels_last, per_axis, spatial

Operation = Callable[[Tensor, Tensor, Tensor | None], Tensor]
"""Inputs [B, *sizes, C], kernel and bias to [B, *sizes, filters]."""


def convolution(
    layer: str,
    axes: int,
    inputs: TensorSpec,
    *,
    filters: int,
    kernel_size: int | list[int],
    strides: int | list[int],
    padding: CausalPadding,
    dilation_rate: int | list[int],
    groups: int,
    activation: Activation,
    use_bias: bool,
    kernel_initializer: Initializer,
    bias_initializer: Initializer,
    l1: float,
    l2: float,
) -> Convolution:
    """The layer of that name over `axes` axes; the arguments are Keras's."""
    sizes, channels = spatial(inputs, layer, axes)
    window = per_axis(kernel_size, axes, layer, "kernel_size")
    windows = Windows.of(layer, axes, window, strides, padding, dilation_rate)
    output = windows.output(sizes, filters, layer)
    if channels % groups or filters % groups:
        message = f"layer {layer} expects channels and filters in groups={groups}, received {channels} and {filters}"
        raise ConfigError(Problem("architecture", message, "take a number of groups that divides both"))
    return convolving(
        Convolve(windows, groups),
        kernel_of(kernel_initializer, window, channels // groups, filters),
        bias_of(bias_initializer, filters, use_bias),
        activation,
        output,
        l1,
        l2,
    )


def convolving(
    operation: Operation,
    kernel: nn.Parameter,
    bias: nn.Parameter | None,
    activation: Activation,
    output: TensorSpec,
    l1: float,
    l2: float,
) -> Convolution:
    """A layer of such an operation, with a penalty or without."""
    if l1 or l2:
        return PenalisedConvolution(operation, kernel, bias, activation, output, l1, l2)
    return Convolution(operation, kernel, bias, activation, output)


def kernel_of(initializer: Initializer, window: tuple[int, ...], before: int, last: int) -> nn.Parameter:
    """Drawn by the rules for Keras's layout (*window, before, last), kept in torch's: [last, before, *window]."""
    axes = len(window)
    drawn = initial(initializer, (*window, before, last)).permute(axes + 1, axes, *range(axes))
    # Not `contiguous`, which leaves strides of their own to axes of size 1.
    return nn.Parameter(drawn.clone(memory_format=torch.contiguous_format))


def bias_of(initializer: Initializer, filters: int, use_bias: bool) -> nn.Parameter | None:
    """[filters] or None."""
    return nn.Parameter(initial(initializer, (filters,))) if use_bias else None


class Convolution(nn.Module):
    """kernel: in torch's layout, which its operation says. bias: [filters] or None."""

    kernel: nn.Parameter
    bias: nn.Parameter | None

    def __init__(
        self,
        operation: Operation,
        kernel: nn.Parameter,
        bias: nn.Parameter | None,
        activation: Activation,
        output: TensorSpec,
    ):
        super().__init__()
        self.kernel = kernel
        self.register_parameter("bias", bias)
        self.operation = operation
        self.activation = activation
        self.output = output

    def forward(self, inputs: Tensor) -> Tensor:
        """[B, *sizes, C] to [B, *sizes, filters]."""
        return ACTIVATIONS[self.activation](self.operation(inputs, self.kernel, self.bias))

    def extra_repr(self) -> str:
        """Shape of the kernel, windows and activation, for a printed model."""
        return f"{tuple(self.kernel.shape)}, {self.operation}, {self.activation}"


class PenalisedConvolution(Convolution):
    """A convolution whose kernel adds to the loss. settings: as in `stack.Stack`."""

    settings = ("l1", "l2")

    def __init__(
        self,
        operation: Operation,
        kernel: nn.Parameter,
        bias: nn.Parameter | None,
        activation: Activation,
        output: TensorSpec,
        l1: float,
        l2: float,
    ):
        super().__init__(operation, kernel, bias, activation, output)
        self.l1, self.l2 = l1, l2

    def penalty(self) -> Tensor:
        """Scalar to add to the mean loss of a batch."""
        return weight_penalty(self.kernel, self.l1, self.l2)


@dataclass(frozen=True)
class Convolve:
    """kernel: [filters, channels / groups, *window]."""

    windows: Windows
    groups: int

    def __call__(self, x: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
        """See `Operation`."""
        axes = kernel.ndim - 2
        kernel = kernel.unsqueeze(2) if axes == 1 else kernel
        x = channels_first(x)
        windows = self.windows
        padding: tuple[int, ...] = (0,) * (kernel.ndim - 2)
        if windows.padding != "valid":
            edges = windows.edges(x.shape[2:])
            padding = tuple(before for before, _ in edges)
            if any(before != after for before, after in edges):
                x = F.pad(x, [n for edge in reversed(edges) for n in edge])
                padding = (0,) * len(edges)
        operation = torch.conv3d if axes == 3 else torch.conv2d
        y = operation(x, kernel, bias, windows.strides, padding, windows.dilation, self.groups)
        return channels_last(y, axes)

    def __str__(self) -> str:
        return f"{self.windows}" + (f", groups={self.groups}" if self.groups > 1 else "")
