"""Sequences, pictures and volumes of which each place becomes several."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from dlrun.layers._spec import TensorSpec
from dlrun.layers._windows import channels_first, channels_last, per_axis, spatial

Interpolation = Literal["nearest", "bilinear"]


def upsampling(
    layer: str,
    axes: int,
    inputs: TensorSpec,
    size: int | list[int],
    interpolation: Interpolation = "nearest",
) -> nn.Module:
    """The layer of that name over `axes` axes; the arguments are Keras's."""
    sizes, channels = spatial(inputs, layer, axes)
    factors = per_axis(size, axes, layer, "size")
    output = TensorSpec((*(n * factor for n, factor in zip(sizes, factors, strict=True)), channels))
    return Bilinear(factors, output) if interpolation == "bilinear" else Repeat(factors, output)


class Repeat(nn.Module):
    """Each place several times. torch's own nearest neighbours are wrong for some factors, 41 the smallest."""

    def __init__(self, factors: tuple[int, ...], output: TensorSpec):
        super().__init__()
        self.factors = factors
        self.output = output

    def forward(self, inputs: Tensor) -> Tensor:
        """[B, *sizes, C] to [B, *sizes, C]."""
        # The last axis first, while there is little to copy in small pieces.
        for axis in range(len(self.factors), 0, -1):
            if self.factors[axis - 1] > 1:
                inputs = inputs.repeat_interleave(self.factors[axis - 1], axis)
        return inputs

    def extra_repr(self) -> str:
        """Factors, for a printed model."""
        return str(self.factors)


class Bilinear(nn.Module):
    """Between the centres of places, as in Keras since TensorFlow 2; flat beyond the outermost ones."""

    def __init__(self, factors: tuple[int, ...], output: TensorSpec):
        super().__init__()
        self.factors = factors
        self.output = output

    def forward(self, inputs: Tensor) -> Tensor:
        """[B, H, W, C] to [B, H, W, C]."""
        sizes = [n * factor for n, factor in zip(inputs.shape[1:-1], self.factors, strict=True)]
        return channels_last(F.interpolate(channels_first(inputs), sizes, mode="bilinear"), 2)

    def extra_repr(self) -> str:
        """Factors, for a printed model."""
        return f"{self.factors}, bilinear"
