"""Fully connected layer: activation(x @ kernel + bias), on the last axis or on multi-hot rows."""

from __future__ import annotations

from torch import Tensor, nn

from dlrun.contracts import Bags, Column, Masked
from dlrun.layers._activations import ACTIVATIONS, Activation
from dlrun.layers._affine import affine
from dlrun.layers._embedding_sum import embedding_sum
from dlrun.layers._initializers import Initializer, initial
from dlrun.layers._penalty import weight_penalty
from dlrun.layers._spec import TensorSpec, require_values
from dlrun.types import Count, NonNegative


def build(
    inputs: TensorSpec,
    *,
    units: Count,
    activation: Activation = "linear",
    use_bias: bool = True,
    kernel_initializer: Initializer = "glorot_uniform",
    bias_initializer: Initializer = "zeros",
    l1: NonNegative = 0.0,
    l2: NonNegative = 0.0,
) -> nn.Module:
    """Keras's Dense (book sections 2.3 and 3.1): [B, ..., V] to [B, ..., units].

    Multi-hot inputs (`Bags` of B rows over V words) give [B, units]: the same function of the same
    parameters as the 0/1 matrix [B, V] would, without making it. l1, l2: coefficients on the kernel, never
    on the bias (4.4.2).
    """
    if inputs.encoding != "multi_hot":
        require_values(inputs, "dense", masked=True)
    shape = (inputs.shape[-1], units)
    kernel = nn.Parameter(initial(kernel_initializer, shape))
    bias = nn.Parameter(initial(bias_initializer, (units,))) if use_bias else None
    output = TensorSpec((*inputs.shape[:-1], units), masked=inputs.masked)
    layer = Dense(kernel, bias, activation, output)
    if l1 or l2:
        layer = PenalisedDense(kernel, bias, activation, output, l1, l2)
    if inputs.encoding == "multi_hot":
        layer.stacked_beside = ("kernel",)
    return layer


class Dense(nn.Module):
    """kernel: [V, units], Keras's layout. bias: [units] or None. stacked_beside: as in `stack.Stack`."""

    stacked_beside: tuple[str, ...] = ()

    kernel: nn.Parameter
    bias: nn.Parameter | None

    def __init__(self, kernel: nn.Parameter, bias: nn.Parameter | None, activation: Activation, output: TensorSpec):
        super().__init__()
        self.kernel = kernel
        self.register_parameter("bias", bias)
        self.activation = activation
        self.output = output

    def forward(self, inputs: Column | Masked) -> Tensor | Masked:
        """Inputs float [B, ..., V] or `Bags` of B rows; returns [B, ..., units]. A mask on steps is passed on."""
        if isinstance(inputs, Masked):
            return Masked(self._transformed(inputs.values), inputs.mask)
        return self._transformed(inputs)

    def _transformed(self, inputs: Column) -> Tensor:
        if isinstance(inputs, Bags):
            # The last of the B + 1 bags is the padding, which belongs to no row.
            x = embedding_sum(inputs.values, inputs.offsets, self.kernel)[:-1]
            x = x if self.bias is None else x + self.bias
        elif self.bias is not None and inputs.ndim == 2:
            x = affine(inputs, self.kernel, self.bias)
        else:
            x = inputs @ self.kernel
            x = x if self.bias is None else x + self.bias
        return ACTIVATIONS[self.activation](x)

    def extra_repr(self) -> str:
        """Sizes and activation, for a printed model."""
        return f"{self.kernel.shape[0]} -> {self.kernel.shape[1]}, {self.activation}"


class PenalisedDense(Dense):
    """A Dense whose kernel adds to the loss. settings: as in `stack.Stack`."""

    settings = ("l1", "l2")

    def __init__(
        self,
        kernel: nn.Parameter,
        bias: nn.Parameter | None,
        activation: Activation,
        output: TensorSpec,
        l1: float,
        l2: float,
    ):
        super().__init__(kernel, bias, activation, output)
        self.l1, self.l2 = l1, l2

    def penalty(self) -> Tensor:
        """Scalar to add to the mean loss of a batch."""
        return weight_penalty(self.kernel, self.l1, self.l2)
