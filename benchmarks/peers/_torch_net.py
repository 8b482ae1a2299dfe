"""Boston's net as a torch module, with Keras's first weights: Glorot-uniform kernels, biases of 0."""

from __future__ import annotations

from torch import nn


def build() -> nn.Sequential:
    """[N, 13] to [N, 1]."""
    net = nn.Sequential(nn.Linear(13, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
    for layer in net[::2]:
        nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(layer.bias)
    return net
