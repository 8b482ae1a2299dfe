"""Lightning as its documentation has it, a module and a Trainer: `python boston_lightning.py FOLDS REPEATS EPOCHS`."""

from __future__ import annotations

import time
from typing import Any

import _torch_net
import lightning
import torch
import torch.nn.functional as F
from _folds import BATCH, EPSILON, LR, RHO, VALIDATION_BATCH, Fold, Trained, run
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset


class Module(lightning.LightningModule):
    """Loss and metric of every epoch, on both parts."""

    def __init__(self) -> None:
        super().__init__()
        self.net = _torch_net.build()

    def training_step(self, batch: list[Tensor], _: int) -> Tensor:
        return self._logged(batch, "")

    def validation_step(self, batch: list[Tensor], _: int) -> None:
        self._logged(batch, "val_")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=LR, alpha=RHO, eps=EPSILON)

    def _logged(self, batch: list[Tensor], prefix: str) -> Tensor:
        x, y = batch
        outputs = self.net(x)
        loss = F.mse_loss(outputs, y)
        self.log_dict({f"{prefix}loss": loss, f"{prefix}mae": F.l1_loss(outputs, y)}, on_step=False, on_epoch=True)
        return loss


class Clock(lightning.Callback):
    """Seconds of each epoch's updates: validation begins when they are done."""

    def __init__(self) -> None:
        self.began, self.seconds = 0.0, []

    def on_train_epoch_start(self, *_: Any) -> None:
        self.began = time.perf_counter()

    def on_validation_start(self, trainer: lightning.Trainer, *_: Any) -> None:
        if not trainer.sanity_checking:
            self.seconds.append(time.perf_counter() - self.began)


def train(fold: Fold, epochs: int) -> Trained:
    """As Lightning does it, without its progress bar, logger and checkpoints."""
    part, held = (
        TensorDataset(torch.from_numpy(x), torch.from_numpy(y[:, None]))
        for x, y in ((fold.x, fold.y), (fold.val_x, fold.val_y))
    )
    clock = Clock()
    trainer = lightning.Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        callbacks=[clock],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(
        Module(), DataLoader(part, batch_size=BATCH, shuffle=True), DataLoader(held, batch_size=VALIDATION_BATCH)
    )
    return Trained(clock.seconds, float(trainer.callback_metrics["val_mae"]))


if __name__ == "__main__":
    torch.set_num_threads(1)  # with one row at a time a second thread helps nobody, and on a busy machine it hurts
    run(train)
