"""Weights that stay as they are while others train."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from torch import Tensor, nn

from dlrun.errors import ConfigError, Problem, available, nearest
from dlrun.graphs.network import Network


def freeze(module: nn.Module) -> None:
    """No weight of it trains, and no statistics of a batch move: batch normalization works as in evaluation."""
    module.requires_grad_(False)
    for layer in module.modules():
        if _has_statistics(layer):
            layer.frozen = True  # type: ignore[assignment]


def freeze_before(block: Network, first: str, path: str) -> None:
    """Freeze the layers of a block before one of them, in their order (book section 5.3.2). path: the key, for
    messages. Raises ConfigError where it has no such layer."""
    names = [node.name for node in block.nodes]
    if first not in names:
        hint = f"{nearest(first, names)} {available(names)}".strip()
        raise ConfigError(Problem(path, f"the block has no layer '{first}'", hint))
    layers = dict(block.named_children())
    for name in names[: names.index(first)]:
        if name in layers:  # what has another's weights is none of its own
            freeze(layers[name])


def frozen(model: nn.Module) -> list[str]:
    """Names of the tensors that must stay as they are: weights that do not train, and statistics of layers frozen."""
    weights = [name for name, weight in model.named_parameters() if not weight.requires_grad]
    layers = [(name, layer) for name, layer in model.named_modules() if _has_statistics(layer) and layer.frozen]
    return weights + [f"{at}.{name}".lstrip(".") for at, layer in layers for name, _ in layer.named_buffers()]


def _has_statistics(layer: nn.Module) -> bool:
    """Whether batches move some of its buffers. (A graph may have a layer that is called `frozen`.)"""
    return isinstance(getattr(layer, "frozen", None), bool)


def fingerprint(state: Mapping[str, Tensor], names: list[str]) -> str:
    """Of some tensors of a model's state, to the bit."""
    digest = hashlib.sha256()
    for name in names:
        digest.update(state[name].detach().cpu().contiguous().numpy().data)
    return digest.hexdigest()
