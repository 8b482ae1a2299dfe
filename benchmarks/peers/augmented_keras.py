"""The book's own way: the generator of Keras, which it has left behind and still brings along."""

from __future__ import annotations

import os

os.environ["KERAS_BACKEND"] = "jax"
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import numpy as np
from _turns import repeated, take_turns
from keras.src.legacy.preprocessing.image import ImageDataGenerator


def main() -> None:
    """An epoch whenever told."""
    pictures = np.random.default_rng(0).integers(0, 256, (2000, 150, 150, 3), np.uint8)
    generator = ImageDataGenerator(
        rescale=1 / 255, rotation_range=40, width_shift_range=0.2, height_shift_range=0.2, shear_range=11.5,
        zoom_range=0.2, horizontal_flip=True,
    )  # fmt: skip
    batches = generator.flow(pictures, batch_size=20)

    def epoch() -> dict[str, float]:
        return {"mean": sum(float(next(batches)[0, 75, 75, 0]) for _ in range(100)) / 100}

    take_turns(repeated(epoch))


if __name__ == "__main__":
    main()
