"""A hand-written PyTorch loop over tensors in memory: `python plain.py imdb|mnist`.

As good as such a loop gets without compiling: data scaled beforehand, batches by index, no `.item()` per step.
"""

from __future__ import annotations

import sys

import _data
import torch
import torch.nn.functional as F
from _turns import repeated, take_turns
from torch import Tensor, nn

NETS = {
    "imdb": lambda: nn.Sequential(
        nn.Linear(10_000, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 1), nn.Flatten(0)
    ),
    "mnist": lambda: nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 10)),
}
BATCH = {"imdb": 512, "mnist": 128}


def main(task: str) -> None:
    """Train whenever told."""
    x, y = map(torch.from_numpy, getattr(_data, task)())
    net = NETS[task]()
    optimizer = torch.optim.RMSprop(net.parameters(), lr=0.001, alpha=0.9)
    loss_of = F.binary_cross_entropy_with_logits if task == "imdb" else F.cross_entropy

    def hits(logits: Tensor, wanted: Tensor) -> Tensor:
        right = (logits > 0) == (wanted > 0.5) if task == "imdb" else logits.argmax(1) == wanted
        return right.sum()

    def epoch() -> dict[str, float]:
        order = torch.randperm(len(x))
        losses, right = torch.zeros(()), torch.zeros((), dtype=torch.int64)
        for first in range(0, len(x), BATCH[task]):
            index = order[first : first + BATCH[task]]
            inputs, targets = x[index], y[index]
            optimizer.zero_grad()
            logits = net(inputs)
            loss = loss_of(logits, targets)
            loss.backward()
            optimizer.step()
            losses += loss.detach() * len(index)
            right += hits(logits.detach(), targets)
        return {"loss": losses.item() / len(x), "accuracy": right.item() / len(x)}

    take_turns(repeated(epoch))


if __name__ == "__main__":
    main(sys.argv[1])
