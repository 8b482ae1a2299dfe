"""How far two inputs lie apart, element by element."""

from __future__ import annotations

from torch import Tensor, nn

from dlrun.layers._merging import element_by_element
from dlrun.layers._spec import TensorSpec


def build(inputs: list[TensorSpec]) -> nn.Module:
    """|a - b| of two inputs [B, *shape], which makes a siamese network's verdict symmetric (book section 7.1.5).

    Raises ConfigError unless they are two, of one rank whose sizes are equal or 1.
    """
    return element_by_element(inputs, "absolute_difference", _apart, exactly=2)


def _apart(a: Tensor, b: Tensor) -> Tensor:
    return (a - b).abs()
