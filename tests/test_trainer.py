"""Fit and evaluate through whole runs: what is logged, how far an epoch goes, which weights are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from _running import only_run, train
from safetensors.torch import load_file

from dlrun.registry import load
from dlrun.run_folder import RunFolder
from dlrun.steps.supervised import Supervised

HOLDOUT = 1000  # the first rows of the sample's 2500, as the task says


def rows_of(folder: RunFolder, part: str, name: str) -> list[float]:
    """One logged value per epoch."""
    return [row[name] for row in folder.read_rows() if row["split"] == part]


def weights_of(folder: RunFolder, which: str = "last") -> dict[str, torch.Tensor]:
    """Those of the only split."""
    return load_file(folder.weights("fit", "r0f0", which))


def by_hand(weights: dict[str, torch.Tensor], start: int, end: int) -> tuple[float, float]:
    """Loss and accuracy of a 10,000-4-1 net on training rows start:end, in one pass over plain matrices."""
    data = load("dataset", "imdb").build(source="sample").load() if False else _sample()
    bags, targets = data.train.inputs["text"], data.train.targets["label"][start:end].double()
    x = torch.zeros(end - start, 10_000, dtype=torch.float64)
    for i in range(start, end):
        x[i - start, bags.values[bags.offsets[i] : bags.offsets[i + 1]].long()] = 1
    hidden, out = (k for k in weights if weights[k].ndim == 2)
    first, last = weights[hidden], weights[out]
    first, last = (first if first.shape[0] == 10_000 else first.T), (last if last.shape[0] == 4 else last.T)
    biases = [weights[k].flatten() for k in weights if k not in (hidden, out)]
    logits = ((x @ first + biases[0]).relu() @ last + biases[1]).flatten()
    loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, targets)
    return float(loss), float(((logits > 0) == (targets > 0.5)).double().mean())
