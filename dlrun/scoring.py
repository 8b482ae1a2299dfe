"""Loss and metrics of a finished model on rows that it has not trained on."""

from __future__ import annotations

import numpy as np
import torch

from dlrun.assembly import Parts
from dlrun.config import RunConfig
from dlrun.contracts import Rows
from dlrun.device import DTYPES
from dlrun.loaders import Loader, to_device
from dlrun.stack import Single, State
from dlrun.trainer import evaluate


def score(parts: Parts, rows: Rows, weights: State, config: RunConfig, device: torch.device) -> dict[str, float]:
    """`{"loss", metric, …}` over all rows, in evaluation mode."""
    dtype = DTYPES[config.trainer.precision]
    objective = parts.objective(0, dtype, device)
    objective.model.load_state_dict(weights)
    step = parts.step(Single(objective), parts.optimizer)
    everything = [np.arange(len(rows))]
    loader = Loader(to_device(rows, device), parts.spec, everything, config.trainer.eval_batch_size, dtype)
    return evaluate(step, loader)[0]
