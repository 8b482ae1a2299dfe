"""A hand-written PyTorch loop over tensors in memory: `python boston_plain.py FOLDS REPEATS EPOCHS`.

As PyTorch's tutorials write it, but for what costs nothing to do better: rows shuffled once per epoch, no `.item()`
per step. `boston_flat.py` is the same with an optimizer of its own.
"""

from __future__ import annotations

import time

import _torch_net
import torch
import torch.nn.functional as F
from _folds import EPSILON, LR, RHO, Fold, Trained, run


def train(fold: Fold, epochs: int) -> Trained:
    """Loss and metric of every epoch, on both parts."""
    x, y, val_x, val_y = map(torch.from_numpy, (fold.x, fold.y, fold.val_x, fold.val_y))
    net = _torch_net.build()
    optimizer = torch.optim.RMSprop(net.parameters(), lr=LR, alpha=RHO, eps=EPSILON)
    seconds, history = [], []
    for _ in range(epochs):
        began = time.perf_counter()
        order = torch.randperm(len(x))
        losses, errors = torch.zeros(()), torch.zeros(())
        for inputs, targets in zip(x[order].split(1), y[order].split(1), strict=True):
            optimizer.zero_grad()
            outputs = net(inputs).squeeze(1)
            loss = F.mse_loss(outputs, targets)
            loss.backward()
            optimizer.step()
            losses += loss.detach()
            errors += (outputs.detach() - targets).abs().sum()
        logs = {"loss": losses.item() / len(x), "mae": errors.item() / len(x)}
        seconds.append(time.perf_counter() - began)
        with torch.no_grad():
            outputs = net(val_x).squeeze(1)
            judged = {"val_loss": F.mse_loss(outputs, val_y).item(), "val_mae": F.l1_loss(outputs, val_y).item()}
        history.append(logs | judged)
    return Trained(seconds, history[-1]["val_mae"])


if __name__ == "__main__":
    torch.set_num_threads(1)  # with one row at a time a second thread helps nobody, and on a busy machine it hurts
    run(train)
