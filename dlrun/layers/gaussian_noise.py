"""In training a normal deviate is added to each number."""

from __future__ import annotations

from torch import Tensor, nn

from dlrun.layers._elementwise import keeps_mask
from dlrun.layers._noise import is_zero, new_key, normal
from dlrun.layers._settings import narrow
from dlrun.layers._spec import TensorSpec, require_values
from dlrun.types import NonNegative


def build(inputs: TensorSpec, *, stddev: NonNegative) -> nn.Module:
    """Keras's GaussianNoise: [B, *shape] to the same shape, unchanged in evaluation.

    stddev: deviation of the noise, in the unit of the inputs. Raises ConfigError on multi-hot inputs and tokens.
    """
    return GaussianNoise(stddev, require_values(inputs, "gaussian_noise", masked=True))


class GaussianNoise(nn.Module):
    """key, settings: as in `dropout.Dropout`."""

    settings = ("stddev",)
    key: Tensor
    stddev: float | Tensor

    def __init__(self, stddev: float, output: TensorSpec):
        super().__init__()
        self.stddev = stddev
        self.output = output
        self.register_buffer("key", new_key())

    @keeps_mask
    def forward(self, inputs: Tensor) -> Tensor:
        """[B, *shape] to the same."""
        if not self.training or is_zero(self.stddev):
            return inputs
        return inputs + normal(self.key, inputs) * narrow(self.stddev, inputs)

    def extra_repr(self) -> str:
        """The deviation, for a printed model."""
        return f"stddev={self.stddev}"
