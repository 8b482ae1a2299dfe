"""Bidirectional: a recurrent layer and a second one of its kind that reads the sequence from its end."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn

from dlrun.contracts import Masked
from dlrun.errors import ConfigError, Problem
from dlrun.layers._making import make
from dlrun.layers._spec import TensorSpec, require_values

RECURRENT = ("simple_rnn", "lstm", "gru")

MergeMode = Literal["concat", "sum", "mul", "ave"]


def build(inputs: TensorSpec, *, layer: dict[str, Any], merge_mode: MergeMode = "concat") -> nn.Module:
    """Keras's Bidirectional (book section 6.3.8): [B, T, C] to [B, 2 * units] or, with the inner layer's
    return_sequences, [B, T, 2 * units]; half as wide where the two are not put side by side.

    layer: name and arguments of the recurrent layer, as `{name: lstm, units: 32}`; both copies have weights of their
    own. Raises ConfigError on inputs of other ranks, on layers that are not recurrent, and with all that is wrong
    with the inner layer.
    """
    require_values(inputs, "bidirectional", "steps", "channels", masked=True)
    if layer.get("name") not in RECURRENT:
        message = f"layer bidirectional expects a recurrent layer, received {layer!r}"
        hint = f"as layer={{name: lstm, units: 32}}; available: {', '.join(sorted(RECURRENT))}"
        raise ConfigError(Problem("architecture", message, hint))
    if "go_backwards" in layer:
        message = "layer bidirectional reads both ways, and its layer has go_backwards"
        raise ConfigError(Problem("architecture", message, "leave go_backwards out"))
    ahead = make(inputs, layer, "architecture")
    back = make(inputs, {**layer, "go_backwards": True}, "architecture")
    alone: TensorSpec = ahead.output  # type: ignore[assignment]
    units = alone.shape[-1] * (2 if merge_mode == "concat" else 1)
    return Bidirectional(ahead, back, merge_mode, TensorSpec((*alone.shape[:-1], units), masked=alone.masked))


class Bidirectional(nn.Module):
    """forward_layer, backward_layer: Keras's names."""

    forward_layer: Any
    backward_layer: Any

    def __init__(self, forward_layer: nn.Module, backward_layer: nn.Module, merge_mode: MergeMode, output: TensorSpec):
        super().__init__()
        self.forward_layer, self.backward_layer = forward_layer, backward_layer
        self.merge_mode = merge_mode
        self.output = output

    def forward(self, inputs: Tensor | Masked) -> Tensor | Masked:
        """[B, T, C] to [B, U] or [B, T, U]."""
        one, other = (layer.in_order_of_time(inputs) for layer in (self.forward_layer, self.backward_layer))
        if isinstance(one, Masked):
            return Masked(self._merged(one.values, other.values), one.mask)
        return self._merged(one, other)

    def _merged(self, one: Tensor, other: Tensor) -> Tensor:
        match self.merge_mode:
            case "concat":
                return torch.cat([one, other], -1)
            case "sum":
                return one + other
            case "mul":
                return one * other
        return (one + other) / 2

    def extra_repr(self) -> str:
        """How the two are merged, for a printed model."""
        return f"merge_mode={self.merge_mode}"
