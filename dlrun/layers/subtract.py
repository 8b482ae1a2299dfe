"""The first input less the second, element by element."""

from __future__ import annotations

import torch
from torch import nn

from dlrun.layers._merging import element_by_element
from dlrun.layers._spec import TensorSpec


def build(inputs: list[TensorSpec]) -> nn.Module:
    """Keras's Subtract: two inputs [B, *shape] to one of the same shape.

    Raises ConfigError unless they are two, of one rank whose sizes are equal or 1.
    """
    return element_by_element(inputs, "subtract", torch.sub, exactly=2)
