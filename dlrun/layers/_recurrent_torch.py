"""Torch's own fused recurrent layers with Keras's initial values, for those who want torch's cells."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dlrun.contracts import Masked
from dlrun.errors import ConfigError, Problem
from dlrun.layers._recurrent_layer import Recipe, turned
from dlrun.layers._spec import TensorSpec

KINDS = {"simple_rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


def build(inputs: TensorSpec, recipe: Recipe) -> nn.Module:
    """[B, T, C] to [B, units] or [B, T, units]. Raises ConfigError with every argument that torch's cells do not
    have."""
    output = recipe.output(inputs)
    wanted = {
        "activation": ("tanh", "relu") if recipe.kind == "simple_rnn" else ("tanh",),
        "recurrent_activation": (recipe.recurrent_activation,) if recipe.kind == "simple_rnn" else ("sigmoid",),
        "reset_after": (recipe.kind == "gru",),
        "dropout": (0.0,),
        "recurrent_dropout": (0.0,),
        "l1": (0.0,),
        "l2": (0.0,),
    }
    wrong = [
        f"{name}={' or '.join(_yaml(value) for value in values)} instead of {_yaml(getattr(recipe, name))}"
        for name, values in wanted.items()
        if getattr(recipe, name) not in values
    ]
    if inputs.masked:
        wrong.append("inputs without a mask")
    if wrong:
        message = f"layer {recipe.kind} expects with implementation=torch {', '.join(wrong)}"
        raise ConfigError(Problem("architecture", message, "set so, or leave implementation out"))
    return TorchRecurrent(inputs.shape[-1], recipe, output)


def _yaml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class TorchRecurrent(nn.Module):
    """cell: torch's module with its names and its two biases, of which the second begins as zeros."""

    unstackable = "torch's recurrent layers run one model at a time; leave implementation=torch out"

    def __init__(self, channels: int, recipe: Recipe, output: TensorSpec):
        super().__init__()
        self.recipe, self.output = recipe, output
        more = {"nonlinearity": recipe.activation} if recipe.kind == "simple_rnn" else {}
        self.cell = KINDS[recipe.kind](channels, recipe.units, bias=recipe.use_bias, batch_first=True, **more)
        kernel, recurrent_kernel, bias = recipe.weights(channels)
        with torch.no_grad():
            self.cell.weight_ih_l0.copy_(self._in_torchs_order(kernel).t())
            self.cell.weight_hh_l0.copy_(self._in_torchs_order(recurrent_kernel).t())
            if bias is not None:
                of_inputs, of_state = bias.unbind(0) if recipe.reset_after else (bias, torch.zeros_like(bias))
                self.cell.bias_ih_l0.copy_(self._in_torchs_order(of_inputs))
                self.cell.bias_hh_l0.copy_(self._in_torchs_order(of_state))

    def _in_torchs_order(self, weight: Tensor) -> Tensor:
        """The LSTM's parts stand as in Keras; the GRU's are r, z, h."""
        if self.recipe.kind != "gru":
            return weight
        z, r, h = weight.chunk(3, -1)
        return torch.cat([r, z, h], -1)

    def forward(self, inputs: Tensor) -> Tensor | Masked:
        """[B, T, C] to [B, units] or, in the order in which the steps were read, [B, T, units]."""
        return turned(self.in_order_of_time(inputs), self.recipe)

    def in_order_of_time(self, inputs: Tensor) -> Tensor:
        """`forward`, but with the first step first even where the last was read first."""
        backwards = self.recipe.go_backwards
        states: Tensor = self.cell(inputs.flip(1) if backwards else inputs)[0]
        if not self.recipe.return_sequences:
            return states[:, -1]
        return states.flip(1) if backwards else states
