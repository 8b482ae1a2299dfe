"""Gated recurrent unit: a recurrent layer cheaper than an LSTM."""

from __future__ import annotations

from torch import nn

from dlrun.layers import _recurrent_torch
from dlrun.layers._cell_activations import CellActivation
from dlrun.layers._initializers import Initializer
from dlrun.layers._recurrent_layer import Implementation, PenalisedRecurrent, Recipe, Recurrent
from dlrun.layers._spec import TensorSpec
from dlrun.types import Count, NonNegative, Rate


def build(
    inputs: TensorSpec,
    *,
    units: Count,
    activation: CellActivation = "tanh",
    recurrent_activation: CellActivation = "hard_sigmoid",
    use_bias: bool = True,
    kernel_initializer: Initializer = "glorot_uniform",
    recurrent_initializer: Initializer = "orthogonal",
    bias_initializer: Initializer = "zeros",
    reset_after: bool = False,
    dropout: Rate = 0.0,
    recurrent_dropout: Rate = 0.0,
    return_sequences: bool = False,
    go_backwards: bool = False,
    l1: NonNegative = 0.0,
    l2: NonNegative = 0.0,
    implementation: Implementation = "own",
) -> nn.Module:
    """Keras's GRU (book section 6.3.5): [B, T, C] to [B, units]. Gates are in the order z, r, h.

    recurrent_activation: of the gates; Keras 2 has the hard sigmoid, Keras 3 and torch the sigmoid.
    reset_after: the reset gate acts on the state's product with its kernel, which has a bias of its own, instead of on
    the state (torch, cuDNN, Keras 3).
    dropout, recurrent_dropout: shares of the inputs and of the state that become 0 in training, the same ones at
    every step (6.3.6). Each gate has masks of its own.
    return_sequences: the states after all steps, [B, T, units], instead of the last.
    go_backwards: from the last step to the first, which is also the order of the states returned.
    l1, l2: coefficients on the kernel, not on the recurrent one.
    implementation: `torch` takes torch's fused layer, which has sigmoid gates and reset_after and can't be stacked.

    Over masked steps (`contracts.Masked`) the state is held.
    Raises ConfigError on inputs of other ranks, and where torch's layer lacks what is asked for.
    """
    recipe = Recipe(
        kind="gru",
        units=units,
        activation=activation,
        recurrent_activation=recurrent_activation,
        use_bias=use_bias,
        kernel_initializer=kernel_initializer,
        recurrent_initializer=recurrent_initializer,
        bias_initializer=bias_initializer,
        unit_forget_bias=False,
        reset_after=reset_after,
        dropout=dropout,
        recurrent_dropout=recurrent_dropout,
        return_sequences=return_sequences,
        go_backwards=go_backwards,
        l1=l1,
        l2=l2,
    )
    if implementation == "torch":
        return _recurrent_torch.build(inputs, recipe)
    return PenalisedRecurrent(inputs, recipe) if l1 or l2 else Recurrent(inputs, recipe)
