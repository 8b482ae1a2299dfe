"""Time distributed: one layer, with the same weights, on each step of a sequence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from dlrun.contracts import Masked
from dlrun.errors import ConfigError, Problem
from dlrun.layers._making import make, reads_several
from dlrun.layers._spec import TensorSpec, require_values


def build(inputs: TensorSpec, *, layer: dict[str, Any]) -> nn.Module:
    """Keras's TimeDistributed: [B, T, *shape] to [B, T, *out], where `layer` makes [B, *out] of [B, *shape].

    layer: its name and arguments, as `{name: dense, units: 8}`. A mask on the steps is passed on. Raises ConfigError
    on inputs without steps, and with all that is wrong with the inner layer.
    """
    if inputs.encoding != "tokens":
        require_values(inputs, "time_distributed", masked=True)
    if not inputs.shape or (len(inputs.shape) < 2 and inputs.encoding != "tokens"):
        message = f"layer time_distributed expects (steps, …), received {inputs}"
        raise ConfigError(Problem("architecture", message, "put a reshape layer before it"))
    name = layer.get("name")
    if reads_several(name):
        message = f"layer time_distributed can't apply {name}, which reads several inputs"
        raise ConfigError(Problem("architecture", message, "name a layer that reads one"))
    inner = make(replace(inputs, shape=inputs.shape[1:], masked=False), layer, "architecture")
    made: TensorSpec = inner.output  # type: ignore[assignment]
    if made.masked:
        message = f"layer time_distributed can't apply {name} where it masks: the steps inside each step would be lost"
        raise ConfigError(Problem("architecture", message, "set mask_zero=false in it"))
    return TimeDistributed(inner, replace(made, shape=(inputs.shape[0], *made.shape), masked=inputs.masked))


class TimeDistributed(nn.Module):
    """layer: the inner layer, for which each step of each row is a row of its own."""

    def __init__(self, layer: nn.Module, output: TensorSpec):
        super().__init__()
        self.layer = layer
        self.output = output

    def forward(self, inputs: Tensor | Masked) -> Tensor | Masked:
        """[B, T, *shape] to [B, T, *out]."""
        values = inputs.values if isinstance(inputs, Masked) else inputs
        out: Tensor = self.layer(values.flatten(0, 1))
        out = out.unflatten(0, values.shape[:2])
        return Masked(out, inputs.mask) if isinstance(inputs, Masked) else out
