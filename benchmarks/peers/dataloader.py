"""MNIST as PyTorch's tutorials feed it, `DataLoader(torchvision's MNIST, ToTensor)`: `python dataloader.py WORKERS`."""

from __future__ import annotations

import gzip
import sys
import tempfile
from pathlib import Path

import _data
import torch
import torch.nn.functional as F
from _turns import repeated, take_turns
from torch import nn
from torch.utils.data import DataLoader
from torchvision.datasets import MNIST
from torchvision.transforms import ToTensor


def layout(root: Path) -> None:
    """The files where torchvision looks for them."""
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part in ("train", "t10k"):
        for kind in ("images-idx3", "labels-idx1"):
            name = f"{part}-{kind}-ubyte"
            (raw / name).write_bytes(gzip.decompress(_data.find("mnist", name + ".gz").read_bytes()))


def main(workers: int) -> None:
    """Train whenever told."""
    with tempfile.TemporaryDirectory() as root:
        layout(Path(root))
        dataset = MNIST(root, train=True, transform=ToTensor())  # reads everything here
    loader = DataLoader(dataset, batch_size=128, shuffle=True, num_workers=workers, persistent_workers=workers > 0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 10))
    optimizer = torch.optim.RMSprop(net.parameters(), lr=0.001, alpha=0.9)

    def epoch() -> dict[str, float]:
        losses, right = torch.zeros(()), torch.zeros((), dtype=torch.int64)
        for inputs, targets in loader:
            optimizer.zero_grad()
            logits = net(inputs)
            loss = F.cross_entropy(logits, targets)
            loss.backward()
            optimizer.step()
            losses += loss.detach() * len(targets)
            right += (logits.detach().argmax(1) == targets).sum()
        return {"loss": losses.item() / len(dataset), "accuracy": right.item() / len(dataset)}

    take_turns(repeated(epoch))


if __name__ == "__main__":
    main(int(sys.argv[1]))
