"""Loss and metrics of a finished model on rows that it has not trained on."""

from __future__ import annotations

import numpy as np
import torch

from dlrun.assembly import Parts
from dlrun.config import RunConfig
from dlrun.contracts import Rows, RowTable
from dlrun.device import DTYPES
from dlrun.loaders import Loader, to_device
from dlrun.stack import Single, State
from dlrun.trainer import evaluate


def tabulate(
    parts: Parts, rows: Rows, index: np.ndarray, weights: State, config: RunConfig, device: torch.device
) -> dict[str, np.ndarray]:
    """The metrics that are tables, over some rows that lie on the device, in evaluation mode."""
    if not parts.tables:
        return {}
    dtype = DTYPES[config.trainer.precision]
    model = parts.model(0).to(device, dtype).eval()
    model.load_state_dict(weights)
    sums: dict[str, torch.Tensor] = {}
    lines: dict[str, list[torch.Tensor]] = {}
    with torch.no_grad():
        for batch, _ in Loader(rows, parts.spec, [index], config.trainer.eval_batch_size, dtype).epoch(0):
            outputs = model(batch.inputs)
            for name, metric in parts.tables.items():
                if isinstance(metric, RowTable):
                    lines.setdefault(name, []).append(metric.keep(outputs, batch.targets).cpu())
                    continue
                state = metric.update(outputs, batch.targets, batch.mask)
                sums[name] = sums[name] + state if name in sums else state
    return {
        name: torch.cat(lines[name]).numpy() if isinstance(metric, RowTable) else metric.table(sums[name].cpu())
        for name, metric in parts.tables.items()
    }


def score(parts: Parts, rows: Rows, weights: State, config: RunConfig, device: torch.device) -> dict[str, float]:
    """`{"loss", metric, …}` over all rows, in evaluation mode."""
    dtype = DTYPES[config.trainer.precision]
    objective = parts.objective(0, dtype, device)
    objective.model.load_state_dict(weights)
    step = parts.step(Single(objective), parts.optimizer)
    everything = [np.arange(len(rows))]
    loader = Loader(to_device(rows, device), parts.spec, everything, config.trainer.eval_batch_size, dtype)
    return evaluate(step, loader)[0]
