"""Recurrent layers of given widths, one upon the other, for sequences (chapter 6)."""

from __future__ import annotations

from typing import Any, Literal

from torch import nn

from dlrun.architectures._family import family, per_layer, reads_one
from dlrun.contracts import DataSpec
from dlrun.errors import ConfigError, Problem
from dlrun.layers._cell_activations import CellActivation
from dlrun.layers._head import OutputActivation
from dlrun.types import Count, Rate


def build(
    spec: DataSpec,
    *,
    cell: Literal["simple_rnn", "lstm", "gru"] = "gru",
    units: list[Count],
    activation: CellActivation | list[CellActivation] = "tanh",
    dropout: Rate | list[Rate] = 0.0,
    recurrent_dropout: Rate | list[Rate] = 0.0,
    bidirectional: bool = False,
    reversed: bool = False,
    output_activation: OutputActivation = "auto",
) -> nn.Module:
    """The nets of sections 6.2 and 6.3: all layers but the last hand on their states after every step.

    units: width of each layer. A single value of `activation`, `dropout`, `recurrent_dropout` holds for every layer, a
    list has one per layer. dropout, recurrent_dropout: of the inputs and of the state, the same at every step (6.3.6).
    bidirectional: each layer is two, which read both ways (6.3.8). reversed: the sequence is read from its end, as if
    it had been turned round. Raises ConfigError.
    """
    problems: list[Problem] = []
    settings = {"activation": activation, "dropout": dropout, "recurrent_dropout": recurrent_dropout}
    each = {key: per_layer(key, value, "units", len(units), problems) for key, value in settings.items()}
    if not units:
        problems.append(Problem("architecture.units", "expected the width of at least one layer, received none"))
    if reversed and bidirectional:
        message = "impossible with architecture.bidirectional: it reads both ways"
        problems.append(Problem("architecture.reversed", message, "set one of them to false"))
    reads_one("recurrent", spec, problems)
    if problems:
        raise ConfigError(problems)

    layers: list[dict[str, Any]] = []
    for i, width in enumerate(units):
        layer: dict[str, Any] = {"name": cell, "units": width, "return_sequences": i < len(units) - 1}
        layer |= {key: values[i] for key, values in each.items()}
        if bidirectional:
            layer = {"name": "bidirectional", "layer": layer}
        elif reversed and i == 0:  # its states come in the order of reading: the next layer need not turn them
            layer["go_backwards"] = True
        layers.append(layer)
    return family(spec, layers, output_activation)
