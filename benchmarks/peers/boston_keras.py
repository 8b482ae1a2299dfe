"""The book's own way, `model.fit`, with Keras 3: `python boston_keras.py FOLDS REPEATS EPOCHS BACKEND STEPS`.

BACKEND: jax or tensorflow. STEPS: `steps_per_execution` of `compile`; 1 is its default.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

os.environ["KERAS_BACKEND"] = sys.argv[4]
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import keras
from _folds import BATCH, EPSILON, LR, RHO, VALIDATION_BATCH, Fold, Trained, run
from keras import layers


class Clock(keras.callbacks.Callback):
    """Seconds of each epoch's updates: validation begins when they are done."""

    def __init__(self) -> None:
        super().__init__()
        self.began, self.seconds = 0.0, []

    def on_epoch_begin(self, *_: Any) -> None:
        self.began = time.perf_counter()

    def on_test_begin(self, *_: Any) -> None:
        self.seconds.append(time.perf_counter() - self.began)


def train(fold: Fold, epochs: int) -> Trained:
    """A new model for each fold, as the book's `build_model()` makes it."""
    keras.backend.clear_session()
    model = keras.Sequential(
        [layers.Dense(64, activation="relu"), layers.Dense(64, activation="relu"), layers.Dense(1)]
    )
    model.compile(
        optimizer=keras.optimizers.RMSprop(LR, rho=RHO, epsilon=EPSILON),
        loss="mse",
        metrics=["mae"],
        steps_per_execution=int(sys.argv[5]),
    )
    clock = Clock()
    history = model.fit(
        fold.x, fold.y, epochs=epochs, batch_size=BATCH, callbacks=[clock], verbose=0,
        validation_data=(fold.val_x, fold.val_y), validation_batch_size=VALIDATION_BATCH,
    ).history  # fmt: skip
    return Trained(clock.seconds, history["val_mae"][-1])


if __name__ == "__main__":
    run(train)
