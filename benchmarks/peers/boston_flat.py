"""A hand-written PyTorch loop over tensors in memory: `python boston_flat.py FOLDS REPEATS EPOCHS`.

As fast as one gets with autograd and without compiling: `boston_plain.py` with RMSprop by hand over all weights in one
buffer, which halves the time that `torch.optim.RMSprop` over six tensors takes.
"""

from __future__ import annotations

import time

import torch
import torch.nn.functional as F
from _folds import EPSILON, LR, RHO, Fold, Trained, run
from torch import Tensor

SHAPES = [(13, 64), (64,), (64, 64), (64,), (64, 1), (1,)]


class Net:
    """Kernels [in, out] and biases as views of one buffer, their gradients as views of another."""

    def __init__(self) -> None:
        sizes = [torch.Size(shape).numel() for shape in SHAPES]
        self.flat, self.grad = torch.zeros(sum(sizes)), torch.zeros(sum(sizes))
        self.square = torch.zeros_like(self.flat)  # RMSprop's running mean
        self.weights = []
        for shape, part, grad in zip(SHAPES, self.flat.split(sizes), self.grad.split(sizes), strict=True):
            weight = part.view(shape)
            if len(shape) == 2:
                torch.nn.init.xavier_uniform_(weight)
            self.weights.append(weight.detach().requires_grad_())
            self.weights[-1].grad = grad.view(shape)

    def __call__(self, x: Tensor) -> Tensor:
        w1, b1, w2, b2, w3, b3 = self.weights
        hidden = torch.addmm(b2, torch.addmm(b1, x, w1).relu(), w2).relu()
        return torch.addmm(b3, hidden, w3).squeeze(1)

    def update(self, x: Tensor, y: Tensor) -> Tensor:
        """One step of RMSprop; returns what the net said before it, [N]."""
        self.grad.zero_()
        outputs = self(x)
        F.mse_loss(outputs, y).backward()
        self.square.mul_(RHO).addcmul_(self.grad, self.grad, value=1 - RHO)
        self.flat.addcdiv_(self.grad, self.square.sqrt().add_(EPSILON), value=-LR)
        return outputs.detach()


def train(fold: Fold, epochs: int) -> Trained:
    """Loss and metric of every epoch, on both parts."""
    x, y, val_x, val_y = map(torch.from_numpy, (fold.x, fold.y, fold.val_x, fold.val_y))
    net, seconds, history = Net(), [], []
    for _ in range(epochs):
        began = time.perf_counter()
        order = torch.randperm(len(x))
        batches = zip(x[order].split(1), y[order].split(1), strict=True)
        outputs = torch.cat([net.update(*batch) for batch in batches])
        logs = _scores(outputs, y[order], "")
        seconds.append(time.perf_counter() - began)
        with torch.no_grad():
            history.append(logs | _scores(net(val_x), val_y, "val_"))
    return Trained(seconds, history[-1]["val_mae"])


def _scores(outputs: Tensor, wanted: Tensor, prefix: str) -> dict[str, float]:
    return {
        f"{prefix}loss": F.mse_loss(outputs, wanted).item(),
        f"{prefix}mae": F.l1_loss(outputs, wanted).item(),
    }


if __name__ == "__main__":
    torch.set_num_threads(1)  # with one row at a time a second thread helps nobody, and on a busy machine it hurts
    run(train)
