"""Convolution of pictures, [B, height, width, C] to [B, height, width, filters]."""

from __future__ import annotations

from torch import nn

from dlrun.layers._activations import Activation
from dlrun.layers._convolution import convolution
from dlrun.layers._initializers import Initializer
from dlrun.layers._spec import TensorSpec
from dlrun.layers._windows import Padding, PerAxis
from dlrun.types import Count, NonNegative


def build(
    inputs: TensorSpec,
    *,
    filters: Count,
    kernel_size: PerAxis,
    strides: PerAxis = 1,
    padding: Padding = "valid",
    dilation_rate: PerAxis = 1,
    groups: Count = 1,
    activation: Activation = "linear",
    use_bias: bool = True,
    kernel_initializer: Initializer = "glorot_uniform",
    bias_initializer: Initializer = "zeros",
    l1: NonNegative = 0.0,
    l2: NonNegative = 0.0,
) -> nn.Module:
    """Keras's Conv2D (book section 5.1): [B, height, width, C] to [B, height, width, filters].

    l1, l2: coefficients on the kernel, never on the bias. Raises ConfigError where no window fits or groups do
    not divide the channels and filters.
    """
    return convolution(
        "conv2d",
        2,
        inputs,
        filters=filters,
        kernel_size=kernel_size,
        strides=strides,
        padding=padding,
        dilation_rate=dilation_rate,
        groups=groups,
        activation=activation,
        use_bias=use_bias,
        kernel_initializer=kernel_initializer,
        bias_initializer=bias_initializer,
        l1=l1,
        l2=l2,
    )
