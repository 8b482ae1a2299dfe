"""The book's own way, `model.fit` on a dense float32 matrix, with Keras 3 on JAX: `python keras_jax.py imdb|mnist`."""

from __future__ import annotations

import os
import sys

os.environ["KERAS_BACKEND"] = "jax"
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import _data
import keras
from _turns import take_turns
from keras import layers

NETS = {
    "imdb": lambda: [
        layers.Dense(16, activation="relu"),
        layers.Dense(16, activation="relu"),
        layers.Dense(1, activation="sigmoid"),
    ],
    "mnist": lambda: [layers.Dense(512, activation="relu"), layers.Dense(10, activation="softmax")],
}
LOSS = {"imdb": "binary_crossentropy", "mnist": "sparse_categorical_crossentropy"}
BATCH = {"imdb": 512, "mnist": 128}


def main(task: str) -> None:
    """Train whenever told."""
    x, y = getattr(_data, task)()
    model = keras.Sequential(NETS[task]())
    model.compile(optimizer=keras.optimizers.RMSprop(0.001), loss=LOSS[task], metrics=["accuracy"])

    def train(epochs: int) -> dict[str, float]:
        history = model.fit(x, y, epochs=epochs, batch_size=BATCH[task], verbose=0).history
        return {name: float(values[-1]) for name, values in history.items()}

    take_turns(train)


if __name__ == "__main__":
    main(sys.argv[1])
