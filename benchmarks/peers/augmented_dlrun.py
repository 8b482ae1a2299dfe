"""dlrun's loader and its layer `image_augmentation`, a batch at a time."""

from __future__ import annotations

from itertools import count

import numpy as np
import torch
from _turns import repeated, take_turns

from dlrun.contracts import DataSpec, InputSpec, Rows, TargetSpec
from dlrun.layers import image_augmentation
from dlrun.layers._spec import TensorSpec
from dlrun.loaders import Loader


def main() -> None:
    """An epoch whenever told."""
    pictures = torch.randint(256, (2000, 150, 150, 3), dtype=torch.uint8)
    spec = DataSpec({"image": InputSpec((150, 150, 3), divide_by=255.0)}, {"animal": TargetSpec("binary", 2)})
    rows = Rows({"image": pictures}, {"animal": torch.arange(2000) % 2.0})
    loader = Loader(rows, spec, [np.arange(2000)], 20, torch.float32, [0])
    layer = image_augmentation.build(
        TensorSpec((150, 150, 3)), rotation_range=40, width_shift_range=0.2, height_shift_range=0.2, shear_range=0.2,
        shear_unit="radians", zoom_range=0.2, horizontal_flip=True,
    ).train()  # fmt: skip
    numbers = count(1)

    def epoch() -> dict[str, float]:
        total = 0.0
        for batch, _ in loader.epoch(next(numbers)):
            total += float(layer(batch.inputs["image"])[0, 75, 75, 0])
        return {"mean": total / loader.steps}

    take_turns(repeated(epoch))


if __name__ == "__main__":
    main()
