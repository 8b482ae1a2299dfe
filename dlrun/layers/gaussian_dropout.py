"""In training each number is multiplied by a normal deviate of mean 1."""

from __future__ import annotations

from torch import Tensor, nn

from dlrun.layers._elementwise import keeps_mask
from dlrun.layers._noise import is_zero, new_key, normal
from dlrun.layers._settings import narrow
from dlrun.layers._spec import TensorSpec, require_values
from dlrun.types import Rate


def build(inputs: TensorSpec, *, rate: Rate) -> nn.Module:
    """Keras's GaussianDropout: [B, *shape] to the same shape, unchanged in evaluation.

    rate: the factors' variance is rate / (1 - rate), as that of a dropout's. Raises ConfigError on multi-hot inputs
    and tokens.
    """
    return GaussianDropout(rate, require_values(inputs, "gaussian_dropout", masked=True))


class GaussianDropout(nn.Module):
    """key, settings: as in `dropout.Dropout`."""

    settings = ("rate",)
    key: Tensor
    rate: float | Tensor

    def __init__(self, rate: float, output: TensorSpec):
        super().__init__()
        self.rate = rate
        self.output = output
        self.register_buffer("key", new_key())

    @keeps_mask
    def forward(self, inputs: Tensor) -> Tensor:
        """[B, *shape] to the same."""
        rate = self.rate
        if not self.training or is_zero(rate):
            return inputs
        deviation = (rate / (1.0 - rate)) ** 0.5
        return inputs * (normal(self.key, inputs) * narrow(deviation, inputs) + 1.0)

    def extra_repr(self) -> str:
        """The rate, for a printed model."""
        return f"rate={self.rate}"
