"""Training pictures as a model sees them: augmented, beside what they were."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from dlrun import sheets
from dlrun.assembly import Parts
from dlrun.contracts import Data
from dlrun.errors import ConfigError, Problem
from dlrun.layers._augmentation import ImageAugmentation
from dlrun.loaders import Loader
from dlrun.sheets import Tile

PICTURES, DRAWS = 4, 5
"""On a sheet: so many training pictures, each in so many ways."""


def check(model: nn.Module) -> None:
    """Raises ConfigError where a model augments nothing."""
    if _augmentation(model) is None:
        hint = "such as architecture.augmentation={rotation_range: 40, horizontal_flip: true} of convnet"
        raise ConfigError(Problem("preview", "this model has no layer image_augmentation", hint))


def draw(parts: Parts, data: Data, seed: int, path: Path, title: str) -> None:
    """Some rows of the first split's training rows, from its first to its last, and what the layer makes of them."""
    index = parts.splits(data, seed)[0].train
    index = index[torch.linspace(0, len(index) - 1, min(PICTURES, len(index))).round().long().numpy()]
    batch = next(Loader(data.train, parts.spec, [index], len(index), torch.float32).epoch(0)).batch
    model = parts.model(seed).train()
    layer = _augmentation(model)
    assert layer is not None
    before, *after = [_seen(model, layer, batch.inputs) for _ in range(DRAWS)]
    tiles = []
    for i, row in enumerate(index):
        tiles.append(Tile(before[0][i].numpy(), f"training row {row}"))
        tiles += [Tile(made[i].numpy(), "") for _, made in (before, *after)]
    sheets.draw(tiles, 1 + DRAWS, path, title)


def _augmentation(model: nn.Module) -> ImageAugmentation | None:
    return next((layer for layer in model.modules() if isinstance(layer, ImageAugmentation)), None)


class _Seen(Exception):  # noqa: N818 - it ends a call whose rest nobody needs
    pass


def _seen(model: nn.Module, layer: nn.Module, inputs: object) -> tuple[Tensor, Tensor]:
    """What the layer is given and what it gives, [B, H, W, C], in a call of the model."""
    found: list[tuple[Tensor, Tensor]] = []

    def keep(_: nn.Module, given: tuple[Tensor], made: Tensor) -> None:
        found.append((given[0], made))
        raise _Seen

    hook = layer.register_forward_hook(keep)
    try:
        with torch.no_grad():
            model(inputs)
    except _Seen:
        pass
    finally:
        hook.remove()
    return found[0]
