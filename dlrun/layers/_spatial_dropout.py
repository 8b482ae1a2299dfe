"""Dropout of whole channels: what both layers share."""

from __future__ import annotations

from torch import Tensor, nn

from dlrun.layers._elementwise import keeps_mask
from dlrun.layers._noise import is_zero, kept, new_key
from dlrun.layers._settings import narrow
from dlrun.layers._spec import TensorSpec


class SpatialDropout(nn.Module):
    """Of each row whole channels are set to 0, the others divided by 1 - rate. key, settings: as in
    `dropout.Dropout`."""

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
        """[B, ..., C] to the same."""
        rate = self.rate
        if not self.training or is_zero(rate):
            return inputs
        rows, channels = inputs.shape[0], inputs.shape[-1]
        factors = kept(self.key, rate, rows * channels).to(inputs.dtype).mul_(narrow(1.0 / (1.0 - rate), inputs))
        return inputs * factors.view(rows, *[1] * (inputs.ndim - 2), channels)

    def extra_repr(self) -> str:
        """The rate, for a printed model."""
        return f"rate={self.rate}"
