"""What losses and metrics share: which target they read, and values per row."""

from __future__ import annotations

import torch
from torch import Tensor

from dlrun.contracts import DataSpec
from dlrun.errors import ConfigError, Problem, available, nearest


def target_name(spec: DataSpec, target: str | None, path: str) -> str:
    """`target`, or the only one there is. path: the dotted key to name in the ConfigError where neither will
    do."""
    if target is None:
        if len(spec.targets) == 1:
            return next(iter(spec.targets))
        message = f"the data have {len(spec.targets)} targets, so one must be named"
        raise ConfigError(Problem(path, message, available(spec.targets)))
    if target not in spec.targets:
        hint = f"{nearest(target, spec.targets)} {available(spec.targets)}".strip()
        raise ConfigError(Problem(path, f"no target '{target}' in the data", hint))
    return target


def row_mean(values: Tensor) -> Tensor:
    """[B, ...] to [B]: the mean over all axes of a row."""
    return values if values.ndim == 1 else values.flatten(1).mean(1)


def like(targets: Tensor, predictions: Tensor) -> Tensor:
    """Targets in the dtype and shape of the predictions; class indices [B] become one-hot rows [B, C]."""
    if targets.ndim == predictions.ndim - 1:
        classes = torch.arange(predictions.shape[-1], device=targets.device)
        targets = targets[..., None] == classes
    return targets.to(predictions.dtype)
