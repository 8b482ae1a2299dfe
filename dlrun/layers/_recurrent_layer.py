"""The module behind simple_rnn, lstm and gru: weights, dropout, direction and masks around `_recurrent.recurrent`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from dlrun.contracts import Masked
from dlrun.errors import ConfigError, Problem
from dlrun.layers._affine import affine
from dlrun.layers._cell_activations import CellActivation
from dlrun.layers._initializers import Initializer, initial
from dlrun.layers._penalty import weight_penalty
from dlrun.layers._recurrent import Cell, Kind, recurrent
from dlrun.layers._spec import TensorSpec, require_values
from dlrun.layers.dropout import KEY, STRIDE, scaled_mask

GATES: dict[Kind, tuple[int, ...]] = {"simple_rnn": (), "lstm": (0, 1, 3), "gru": (0, 1)}
"""Which of a cell's parts have the recurrent activation, by their place in Keras's weights; one more has the other."""

Implementation = Literal["own", "torch"]


@dataclass(frozen=True)
class Recipe:
    """Arguments of a recurrent layer, by Keras's names."""

    kind: Kind
    units: int
    activation: CellActivation
    recurrent_activation: CellActivation
    use_bias: bool
    kernel_initializer: Initializer
    recurrent_initializer: Initializer
    bias_initializer: Initializer
    unit_forget_bias: bool
    reset_after: bool
    dropout: float
    recurrent_dropout: float
    return_sequences: bool
    go_backwards: bool
    l1: float
    l2: float

    @property
    def parts(self) -> int:
        """Products of inputs with a kernel [C, units] that a step needs: one per gate, and the new values."""
        return len(GATES[self.kind]) + 1

    def output(self, inputs: TensorSpec) -> TensorSpec:
        """What comes out; raises ConfigError where such inputs can't come in."""
        given = require_values(inputs, self.kind, "steps", "channels", masked=True)
        if 0 in given.shape:
            message = f"layer {self.kind} expects at least one step and one channel, received {given}"
            raise ConfigError(Problem("architecture", message, "longer sequences, or smaller windows before it"))
        steps = given.shape[:1] if self.return_sequences else ()
        return TensorSpec((*steps, self.units), masked=given.masked and self.return_sequences)

    def weights(self, channels: int) -> tuple[Tensor, Tensor, Tensor | None]:
        """New ones in Keras's layout: kernel [C, parts * units], recurrent kernel [units, parts * units], and bias
        [parts * units] or, for a GRU that resets after the product, [2, parts * units]."""
        width = self.parts * self.units
        kernel = initial(self.kernel_initializer, (channels, width))
        recurrent_kernel = initial(self.recurrent_initializer, (self.units, width))
        if not self.use_bias:
            return kernel, recurrent_kernel, None
        bias = initial(self.bias_initializer, (2, width) if self.reset_after else (width,))
        if self.kind == "lstm" and self.unit_forget_bias:
            bias[self.units : 2 * self.units] = 1.0
        return kernel, recurrent_kernel, bias


class Recurrent(nn.Module):
    """kernel, recurrent_kernel, bias: as `Recipe.weights` says. key: of the dropout masks, as in `dropout.Dropout`.
    settings: as in `stack.Stack`."""

    settings: tuple[str, ...] = ("dropout", "recurrent_dropout")
    bias: nn.Parameter | None
    key: Tensor
    dropout: float | Tensor
    recurrent_dropout: float | Tensor

    def __init__(self, inputs: TensorSpec, recipe: Recipe):
        super().__init__()
        self.output = recipe.output(inputs)
        self.recipe = recipe
        kernel, recurrent_kernel, bias = recipe.weights(inputs.shape[-1])
        self.kernel = nn.Parameter(kernel)
        self.recurrent_kernel = nn.Parameter(recurrent_kernel)
        self.register_parameter("bias", None if bias is None else nn.Parameter(bias))
        self.register_buffer("key", torch.randint(KEY + 1, ()))
        self.dropout, self.recurrent_dropout = recipe.dropout, recipe.recurrent_dropout

    def forward(self, inputs: Tensor | Masked) -> Tensor | Masked:
        """[B, T, C] to [B, units] or, in the order in which the steps were read, [B, T, units]."""
        return turned(self.in_order_of_time(inputs), self.recipe)

    def in_order_of_time(self, inputs: Tensor | Masked) -> Tensor | Masked:
        """`forward`, but with the first step first even where the last was read first."""
        recipe = self.recipe
        x, mask = inputs if isinstance(inputs, Masked) else (inputs, None)
        x = x.transpose(0, 1)
        on_inputs, on_state = self._masks(x)
        slope, shift = (0.2, 0.5) if recipe.recurrent_activation == "hard_sigmoid" and recipe.parts > 1 else (1.0, 0.0)
        bias, inner_bias = self._biases()
        kernel, weight = self._arranged(self.kernel, slope), self._arranged(self.recurrent_kernel, slope)
        states = recurrent(
            Cell(
                recipe.kind,
                recipe.activation,
                "ramp" if slope != 1.0 else recipe.recurrent_activation,
                recipe.go_backwards,
                not recipe.return_sequences,
            ),
            _projected(x, kernel, self._arranged(bias, slope, shift), on_inputs),
            weight,
            inner_bias,
            None if mask is None else mask.t().unsqueeze(-1),
            on_state,
        )
        if not recipe.return_sequences:
            return states
        out = states.transpose(0, 1)
        return out if mask is None else Masked(out, mask)

    def _biases(self) -> tuple[Tensor, Tensor | None]:
        """On the inputs' product [parts * units], and on the state's [1, units] where the reset gate acts on it."""
        units, width = self.recipe.units, self.kernel.shape[-1]
        if not self.recipe.reset_after:
            return (self.kernel.new_zeros(width) if self.bias is None else self.bias), None
        if self.bias is None:
            return self.kernel.new_zeros(width), self.kernel.new_zeros(1, units)
        of_inputs, of_state = self.bias.unbind(0)
        gates, new = of_state.split([2 * units, units])
        return of_inputs + torch.cat([gates, torch.zeros_like(new)]), new.unsqueeze(0)

    def _arranged(self, weight: Tensor, slope: float, shift: float = 0.0) -> Tensor:
        """[..., parts * units] with the gates in front. slope, shift: a hard sigmoid's, which cost nothing here."""
        gates = GATES[self.recipe.kind]
        if not gates:
            return weight
        parts = weight.split(self.recipe.units, -1)
        (new,) = (part for i, part in enumerate(parts) if i not in gates)
        front = torch.cat([parts[i] for i in gates], -1)
        return torch.cat([front * slope + shift if slope != 1.0 else front, new], -1)

    def _masks(self, x: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Factors of the inputs [B, parts, C] and of the state [B, parts * units], of each part its own, the same for
        all steps; None where nothing is dropped."""
        rates = self.dropout, self.recurrent_dropout
        active = [self.training and (isinstance(rate, Tensor) or rate > 0.0) for rate in rates]
        if not any(active):
            return None, None
        _, rows, channels = x.shape
        parts = self.recipe.parts
        second = (self.key + STRIDE) & KEY
        on_inputs = scaled_mask(self.key, (rows, parts, channels), rates[0], x) if active[0] else None
        on_state = scaled_mask(second, (rows, parts * self.recipe.units), rates[1], x) if active[1] else None
        self.key.copy_((second + STRIDE) & KEY)
        return on_inputs, on_state

    def extra_repr(self) -> str:
        """Sizes, for a printed model."""
        return f"{self.kernel.shape[0]} -> {self.recipe.units}"


class PenalisedRecurrent(Recurrent):
    """A Recurrent whose kernel, not the recurrent one, adds to the loss."""

    settings = (*Recurrent.settings, "l1", "l2")

    def __init__(self, inputs: TensorSpec, recipe: Recipe):
        super().__init__(inputs, recipe)
        self.l1, self.l2 = recipe.l1, recipe.l2

    def penalty(self) -> Tensor:
        """Scalar to add to the mean loss of a batch."""
        return weight_penalty(self.kernel, self.l1, self.l2)


def turned(states: Tensor | Masked, recipe: Recipe) -> Tensor | Masked:
    """States in the order of time in that in which a layer reads them."""
    if not (recipe.go_backwards and recipe.return_sequences):
        return states
    return Masked(*(t.flip(1) for t in states)) if isinstance(states, Masked) else states.flip(1)


def _projected(x: Tensor, kernel: Tensor, bias: Tensor, masks: Tensor | None) -> Tensor:
    """x [T, B, C] @ kernel [C, N] + bias [N]; masks: [B, parts, C] or None."""
    steps_and_rows = x.shape[:2]
    if masks is None:
        return affine(x.flatten(0, 1), kernel, bias).unflatten(0, steps_and_rows)
    count = masks.shape[1]
    # Contiguous, because oneDNN takes a thousand times as long on columns of a wider kernel.
    kernels = [part.contiguous() for part in kernel.chunk(count, -1)]
    parts = [
        affine((x * mask).flatten(0, 1), part, b)
        for mask, part, b in zip(masks.unbind(1), kernels, bias.chunk(count), strict=True)
    ]
    return torch.cat(parts, -1).unflatten(0, steps_and_rows)
