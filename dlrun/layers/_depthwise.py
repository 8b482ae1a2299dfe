"""Convolutions of each channel on its own, alone or followed by one that mixes the channels."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dlrun.layers._activations import Activation
from dlrun.layers._convolution import Convolution, Convolve, bias_of, convolving, kernel_of
from dlrun.layers._initializers import Initializer, initial
from dlrun.layers._spec import TensorSpec
from dlrun.layers._windows import Padding, Windows, per_axis, spatial


def depthwise(
    layer: str,
    axes: int,
    inputs: TensorSpec,
    *,
    kernel_size: int | list[int],
    strides: int | list[int],
    padding: Padding,
    dilation_rate: int | list[int],
    depth_multiplier: int,
    activation: Activation,
    use_bias: bool,
    depthwise_initializer: Initializer,
    bias_initializer: Initializer,
    l1: float,
    l2: float,
) -> Convolution:
    """The layer of that name over `axes` axes; the arguments are Keras's.

    kernel: [channels * depth_multiplier, 1, *window]; a channel's results lie side by side.
    """
    sizes, channels = spatial(inputs, layer, axes)
    window = per_axis(kernel_size, axes, layer, "kernel_size")
    windows = Windows.of(layer, axes, window, strides, padding, dilation_rate)
    filters = channels * depth_multiplier
    drawn = initial(depthwise_initializer, (*window, channels, depth_multiplier))
    kernel = drawn.permute(axes, axes + 1, *range(axes)).reshape(filters, 1, *window)
    return convolving(
        Convolve(windows, channels),
        nn.Parameter(kernel.clone(memory_format=torch.contiguous_format)),
        bias_of(bias_initializer, filters, use_bias),
        activation,
        windows.output(sizes, filters, layer),
        l1,
        l2,
    )


def separable(
    layer: str,
    axes: int,
    inputs: TensorSpec,
    *,
    filters: int,
    kernel_size: int | list[int],
    strides: int | list[int],
    padding: Padding,
    dilation_rate: int | list[int],
    depth_multiplier: int,
    activation: Activation,
    use_bias: bool,
    depthwise_initializer: Initializer,
    pointwise_initializer: Initializer,
    bias_initializer: Initializer,
    l1: float,
    l2: float,
) -> nn.Module:
    """The layer of that name over `axes` axes; the arguments are Keras's."""
    first = depthwise(
        layer,
        axes,
        inputs,
        kernel_size=kernel_size,
        strides=strides,
        padding=padding,
        dilation_rate=dilation_rate,
        depth_multiplier=depth_multiplier,
        activation="linear",
        use_bias=False,
        depthwise_initializer=depthwise_initializer,
        bias_initializer="zeros",
        l1=l1,
        l2=l2,
    )
    *sizes, channels = first.output.shape
    point = (1,) * axes
    second = convolving(
        Convolve(Windows.of(layer, axes, point, 1, "valid"), 1),
        kernel_of(pointwise_initializer, point, channels, filters),
        bias_of(bias_initializer, filters, use_bias),
        activation,
        TensorSpec((*sizes, filters)),
        l1,
        l2,
    )
    return Separable(first, second)


class Separable(nn.Module):
    """Each channel on its own, then all channels of a place. Penalties are those of the two parts."""

    def __init__(self, depthwise: Convolution, pointwise: Convolution):
        super().__init__()
        self.depthwise = depthwise
        self.pointwise = pointwise
        self.output = pointwise.output

    def forward(self, inputs: Tensor) -> Tensor:
        """[B, *sizes, C] to [B, *sizes, filters]."""
        outputs: Tensor = self.pointwise(self.depthwise(inputs))
        return outputs
