"""Separable convolution of volumes: each channel on its own, then all channels of a place."""

from __future__ import annotations

from torch import nn

from dlrun.layers._activations import Activation
from dlrun.layers._depthwise import separable
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
    depth_multiplier: Count = 1,
    activation: Activation = "linear",
    use_bias: bool = True,
    depthwise_initializer: Initializer = "glorot_uniform",
    pointwise_initializer: Initializer = "glorot_uniform",
    bias_initializer: Initializer = "zeros",
    l1: NonNegative = 0.0,
    l2: NonNegative = 0.0,
) -> nn.Module:
    """What Keras's SeparableConv2D is, for volumes: [B, depth, height, width, C] to [B, depth, height, width, filters].

    depth_multiplier: results of each channel's own convolution. l1, l2: coefficients on both kernels, never on
    the bias. Raises ConfigError where no window fits.
    """
    return separable(
        "separable_conv3d",
        3,
        inputs,
        filters=filters,
        kernel_size=kernel_size,
        strides=strides,
        padding=padding,
        dilation_rate=dilation_rate,
        depth_multiplier=depth_multiplier,
        activation=activation,
        use_bias=use_bias,
        depthwise_initializer=depthwise_initializer,
        pointwise_initializer=pointwise_initializer,
        bias_initializer=bias_initializer,
        l1=l1,
        l2=l2,
    )
