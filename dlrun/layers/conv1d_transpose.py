"""Transposed convolution of sequences, the gradient of a convolution as a layer that enlarges."""

from __future__ import annotations

from torch import nn

from dlrun.layers._activations import Activation
from dlrun.layers._initializers import Initializer
from dlrun.layers._spec import TensorSpec
from dlrun.layers._transposing import transposed
from dlrun.layers._windows import Padding, PerAxis
from dlrun.types import Count, NonNegative


def build(
    inputs: TensorSpec,
    *,
    filters: Count,
    kernel_size: PerAxis,
    strides: PerAxis = 1,
    padding: Padding = "valid",
    activation: Activation = "linear",
    use_bias: bool = True,
    kernel_initializer: Initializer = "glorot_uniform",
    bias_initializer: Initializer = "zeros",
    l1: NonNegative = 0.0,
    l2: NonNegative = 0.0,
) -> nn.Module:
    """Keras's Conv1DTranspose: [B, steps, C] to [B, steps, filters].

    A size n becomes n * stride with padding `same`, n * stride + max(window - stride, 0) with `valid`. l1, l2:
    coefficients on the kernel, never on the bias.
    """
    return transposed(
        "conv1d_transpose",
        1,
        inputs,
        filters=filters,
        kernel_size=kernel_size,
        strides=strides,
        padding=padding,
        activation=activation,
        use_bias=use_bias,
        kernel_initializer=kernel_initializer,
        bias_initializer=bias_initializer,
        l1=l1,
        l2=l2,
    )
