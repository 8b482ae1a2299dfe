"""A finished run brought back to life: its config, parts and weights, for evaluate and predict."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
import yaml

from dlrun import device as devices
from dlrun.assembly import Parts, assemble
from dlrun.checkpoint import load_weights
from dlrun.config import RunConfig, parse
from dlrun.errors import ConfigError
from dlrun.finding import final_weights, find_run
from dlrun.run_folder import RunFolder


@dataclass
class Loaded:
    """What `evaluate` and `predict` need of a run."""

    folder: RunFolder
    config: RunConfig
    parts: Parts
    weights: dict[str, torch.Tensor]
    device: torch.device


def load(run: str, runs_dir: str, which: str = "last", split: str = "", device: str = "auto") -> Loaded:
    """Find a run and read it; nothing in its folder can name code. Raises ConfigError or RunError."""
    folder = find_run(run, Path(runs_dir))
    try:
        plain = yaml.safe_load(folder.config.read_text(encoding="utf-8"))
        config, problems = parse(plain, plain["task"])
    except (yaml.YAMLError, TypeError, KeyError) as error:
        raise ConfigError(f"{folder.config} is no config of a run: {error}") from None
    if config is None or problems:
        raise ConfigError(problems)
    weights = load_weights(final_weights(folder, which, split or None))
    return Loaded(folder, config, assemble(config), weights, devices.pick(device))
