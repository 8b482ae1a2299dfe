"""Transposed convolutions: the gradient of a convolution with respect to its inputs, as a layer that enlarges."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dlrun.layers._activations import Activation
from dlrun.layers._convolution import bias_of, convolving, kernel_of
from dlrun.layers._initializers import Initializer
from dlrun.layers._spec import TensorSpec
from dlrun.layers._windows import Padding, Windows, channels_first, channels_last, per_axis, spatial


def transposed(
    layer: str,
    axes: int,
    inputs: TensorSpec,
    *,
    filters: int,
    kernel_size: int | list[int],
    strides: int | list[int],
    padding: Padding,
    activation: Activation,
    use_bias: bool,
    kernel_initializer: Initializer,
    bias_initializer: Initializer,
    l1: float,
    l2: float,
) -> nn.Module:
    """The layer of that name over `axes` axes; the arguments are Keras's.

    A size n becomes n * stride with padding `same`, and n * stride + max(window - stride, 0) with `valid`.
    """
    sizes, channels = spatial(inputs, layer, axes)
    window = per_axis(kernel_size, axes, layer, "kernel_size")
    operation = Transpose.of(Windows.of(layer, axes, window, strides, padding))
    output = TensorSpec((*operation.outputs(sizes), filters))
    # Keras's layout is (*window, filters, channels), and its initializers take the filters for what comes in.
    kernel = kernel_of(kernel_initializer, window, filters, channels)
    return convolving(operation, kernel, bias_of(bias_initializer, filters, use_bias), activation, output, l1, l2)


@dataclass(frozen=True)
class Transpose:
    """kernel: [channels, filters, *window].

    cut: places that are cut off at both ends of each axis. extra: places that are added to its end, none of them
    reached by a window; -1 where one more is cut off, which torch does not offer.
    """

    windows: Windows
    cut: tuple[int, ...]
    extra: tuple[int, ...]

    @classmethod
    def of(cls, windows: Windows) -> Transpose:
        """The windows of the convolution whose gradient it is."""
        pairs = list(zip(windows.size, windows.strides, strict=True))
        if windows.padding == "valid":
            return cls(windows, (0,) * len(pairs), tuple(max(s - k, 0) for k, s in pairs))
        cut = tuple(max(k - s, 0) // 2 for k, s in pairs)
        return cls(windows, cut, tuple(s - k + 2 * c for (k, s), c in zip(pairs, cut, strict=True)))

    def outputs(self, sizes: tuple[int, ...]) -> tuple[int, ...]:
        """Sizes that come out of such sizes."""
        each = (self.windows.size, self.windows.strides, self.cut, self.extra)
        last = zip(sizes, *(values[-len(sizes) :] for values in each), strict=True)
        return tuple((n - 1) * s + k - 2 * c + e for n, k, s, c, e in last)

    def __call__(self, x: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
        """See `_convolution.Operation`."""
        axes = kernel.ndim - 2
        kernel = kernel.unsqueeze(2) if axes == 1 else kernel
        operation = torch.conv_transpose3d if axes == 3 else torch.conv_transpose2d
        extra = tuple(max(e, 0) for e in self.extra)
        y = channels_last(operation(channels_first(x), kernel, bias, self.windows.strides, self.cut, extra), axes)
        for axis, e in enumerate(self.extra[-axes:], start=1):
            if e < 0:
                y = y.narrow(axis, 0, y.shape[axis] + e)
        return y

    def __str__(self) -> str:
        return str(self.windows)
