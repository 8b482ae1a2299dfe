"""The maps of layers on the way of a picture through a net."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from dlrun.contracts import Column
from dlrun.errors import ConfigError, Problem
from dlrun.explaining._layers import Layer


class _Reached(Exception):  # noqa: N818 - no error: the way ends here
    pass


def traced(
    model: nn.Module, inputs: Mapping[str, Column], picture: str, layers: Sequence[Layer], whole: bool = True
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """By layer, its maps [B, height, width, channels], and the model's outputs.

    inputs[picture] needs a gradient and no weight does: so a layer that is called for several pictures, as in a Siamese
    net, gives the maps of this one. whole: whether the model runs to its end, or only up to the last of the layers,
    without outputs. Raises ConfigError where a layer does not read the picture.
    """
    found: dict[str, Tensor] = {}

    def keep(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, given: Any, output: Any) -> None:
            if name not in found and isinstance(output, Tensor) and output.requires_grad:
                found[name] = output
                if not whole and len(found) == len(layers):
                    raise _Reached

        return hook

    handles = [layer.module.register_forward_hook(keep(layer.name)) for layer in layers]
    outputs: dict[str, Tensor] = {}
    try:
        with torch.enable_grad():
            outputs = model(inputs)
    except _Reached:
        pass
    finally:
        for handle in handles:
            handle.remove()
    blind = [layer.name for layer in layers if layer.name not in found]
    if blind:
        message = f"{', '.join(blind)} does not see the picture '{picture}'"
        raise ConfigError(Problem("layer", message, "name a layer on its way, or another input"))
    return found, outputs
