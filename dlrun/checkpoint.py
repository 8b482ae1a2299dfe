"""Weights and resume states on disk: written aside, renamed, and read without running code."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor

from dlrun.errors import RunError
from dlrun.files import writing

log = logging.getLogger("dlrun")


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write a resume state; the one before it is kept beside it as `<name>.previous`."""
    with writing(path) as aside:
        with aside.open("wb") as file:
            torch.save(state, file)
        if path.exists():
            os.replace(path, previous(path))


def load_state(path: Path) -> dict[str, Any] | None:
    """The newest readable state, or None when there is none. Raises RunError when none can be read."""
    broken = []
    for candidate in (path, previous(path)):
        if not candidate.exists():
            continue
        try:
            state: dict[str, Any] = torch.load(candidate, map_location="cpu", weights_only=True)
        except Exception as error:  # torch.load raises half a dozen kinds for a damaged file
            reason = (str(error).splitlines() or [type(error).__name__])[0][:120]
            if isinstance(error, UnpicklingError):  # torch advises to load it all the same
                reason = "damaged, or it holds more than tensors and plain data"
            log.warning("can't read %s (%s)", candidate, reason)
            broken.append(f"{candidate}: {reason}")
            continue
        if broken:
            log.warning("going on from the state before it, %s", candidate)
        return state
    if broken:
        raise RunError(
            "no resume state can be read:\n  " + "\n  ".join(broken) + "\n"
            "Start this run afresh: delete these files, or keep the old folder under a numbered name by rerun=true."
        )
    return None


def previous(path: Path) -> Path:
    """Where the state before the newest is kept."""
    return path.with_name(path.name + ".previous")


def save_weights(path: Path, weights: dict[str, Tensor]) -> None:
    """Weights of one model as safetensors."""
    from safetensors.torch import save

    with writing(path) as aside:
        aside.write_bytes(save({name: t.contiguous().cpu() for name, t in weights.items()}))


def load_weights(path: Path) -> dict[str, Tensor]:
    """Weights of one model. Raises RunError when they are not there or not readable."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise RunError(f"can't read the weights {path}: {error}") from None
