"""Pixels as pretrained convnets were taught to expect them."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from dlrun.errors import ConfigError, Problem
from dlrun.layers._spec import TensorSpec, require_values
from dlrun.types import Positive

Mode = Literal["caffe", "torch", "tf", "none"]

MODES: dict[str, tuple[bool, tuple[float, float, float], tuple[float, float, float]]] = {
    "caffe": (True, (103.939, 116.779, 123.68), (1.0, 1.0, 1.0)),
    "torch": (False, (0.485 * 255, 0.456 * 255, 0.406 * 255), (0.229 * 255, 0.224 * 255, 0.225 * 255)),
    "tf": (False, (127.5, 127.5, 127.5), (127.5, 127.5, 127.5)),
    "none": (False, (0.0, 0.0, 0.0), (255.0, 255.0, 255.0)),
}
"""Whether the channels are turned to blue, green, red, and then, of pixels from 0 to 255, what is subtracted from each
channel and what each is divided by."""


def build(inputs: TensorSpec, *, mode: Mode, white: Positive = 1.0) -> nn.Module:
    """Keras's `preprocess_input` (book section 5.4.3): [B, height, width, 3] to the same shape.

    mode: "caffe" turns RGB into BGR and subtracts ImageNet's means from pixels of 0 to 255, "torch" makes mean 0 and
    deviation 1 of ImageNet's pixels, "tf" -1 to 1, "none" 0 to 1. white: the largest value of a pixel in the inputs,
    1 or 255. Raises ConfigError where the inputs are no pictures of three channels.
    """
    require_values(inputs, "image_preprocessing", "height", "width", "channels")
    if inputs.shape[-1] != 3:
        message = f"layer image_preprocessing expects 3 channels, the last axis, received {inputs}"
        raise ConfigError(Problem("architecture", message, "pictures must be in colour, their channels last"))
    return ImagePreprocessing(mode, white, inputs)


class ImagePreprocessing(nn.Module):
    """Each channel times a factor, plus a number."""

    def __init__(self, mode: Mode, white: float, output: TensorSpec):
        super().__init__()
        self.mode, self.white = mode, white
        self.output = output

    def forward(self, inputs: Tensor) -> Tensor:
        """[B, height, width, 3] to the same."""
        turned, less, by = MODES[self.mode]
        channels = list(inputs.unbind(-1))
        if turned:
            channels.reverse()
        # Numbers, not tensors: what is no weight must not be counted, saved or copied to a device.
        changed = [x * (255.0 / self.white / b) - a / b for x, a, b in zip(channels, less, by, strict=True)]
        return torch.stack(changed, -1)

    def extra_repr(self) -> str:
        """Mode and white, for a printed model."""
        return f"{self.mode}, white={self.white}"
