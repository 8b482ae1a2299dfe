"""skorch as its documentation has it, a `NeuralNetRegressor`: `python boston_skorch.py FOLDS REPEATS EPOCHS`."""

from __future__ import annotations

import _torch_net
import torch
from _folds import BATCH, EPSILON, LR, RHO, VALIDATION_BATCH, Fold, Trained, run
from skorch import NeuralNetRegressor
from skorch.callbacks import EpochScoring
from skorch.dataset import Dataset
from skorch.helper import predefined_split


def train(fold: Fold, epochs: int) -> Trained:
    """Its history has the seconds of each epoch, validation included: one batch beside 303."""
    net = NeuralNetRegressor(
        _torch_net.build,
        optimizer=torch.optim.RMSprop,
        optimizer__lr=LR,
        optimizer__alpha=RHO,
        optimizer__eps=EPSILON,
        max_epochs=epochs,
        batch_size=BATCH,
        iterator_train__shuffle=True,
        iterator_valid__batch_size=VALIDATION_BATCH,
        train_split=predefined_split(Dataset(fold.val_x, fold.val_y[:, None])),
        callbacks=[
            EpochScoring("neg_mean_absolute_error", lower_is_better=False, on_train=True, name="mae"),
            EpochScoring("neg_mean_absolute_error", lower_is_better=False, name="val_mae"),
        ],
        verbose=0,
    )
    net.fit(fold.x, fold.y[:, None])
    return Trained(net.history[:, "dur"], -net.history[-1, "val_mae"])


if __name__ == "__main__":
    torch.set_num_threads(1)  # with one row at a time a second thread helps nobody, and on a busy machine it hurts
    run(train)
