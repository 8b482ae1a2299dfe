"""Convolution of each channel of pictures on its own."""

from __future__ import annotations

from torch import nn

from dlrun.layers._activations import Activation
from dlrun.layers._depthwise import depthwise
from dlrun.layers._initializers import Initializer
from dlrun.layers._spec import TensorSpec
from dlrun.layers._windows import Padding, PerAxis
from dlrun.types import Count, NonNegative


def build(
    inputs: TensorSpec,
    *,
    kernel_size: PerAxis,
    strides: PerAxis = 1,
    padding: Padding = "valid",
    dilation_rate: PerAxis = 1,
    depth_multiplier: Count = 1,
    activation: Activation = "linear",
    use_bias: bool = True,
    depthwise_initializer: Initializer = "glorot_uniform",
    bias_initializer: Initializer = "zeros",
    l1: NonNegative = 0.0,
    l2: NonNegative = 0.0,
) -> nn.Module:
    """Keras's DepthwiseConv2D: [B, height, width, C] to [B, height, width, C * depth_multiplier].

    The results of a channel lie side by side. l1, l2: coefficients on the kernel, never on the bias. Raises
    ConfigError where no window fits.
    """
    return depthwise(
        "depthwise_conv2d",
        2,
        inputs,
        kernel_size=kernel_size,
        strides=strides,
        padding=padding,
        dilation_rate=dilation_rate,
        depth_multiplier=depth_multiplier,
        activation=activation,
        use_bias=use_bias,
        depthwise_initializer=depthwise_initializer,
        bias_initializer=bias_initializer,
        l1=l1,
        l2=l2,
    )
