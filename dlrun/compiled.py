"""The updates of an epoch by a compiled program: call after call, with nothing between them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from dlrun.compiler import Call
from dlrun.contracts import Callback
from dlrun.loaders import Loader, Plan
from dlrun.program import Program
from dlrun.trainer import Training

PORTION_SECONDS = 0.05
"""Updates are done for so long before callbacks, progress bar and signals are heard."""


class Compiled:
    """`trainer.Updates` by calls of a program. How many updates make a portion changes no result."""

    def __init__(self, program: Program, call: Call, step: Any, loader: Loader):
        self.program, self.call, self.step, self.loader = program, call, step, loader
        self.fixed = program.fixed()
        self.size = 1

    def epoch(self, training: Training) -> Iterator[int]:
        """See `Updates`."""
        plan = self.loader.plan(training.epoch)
        takes = self.program.takes(plan)
        sums = self.program.sums
        sums.zero_() if training.totals.sums is None else sums.copy_(training.totals.sums)
        training.totals.sums = sums
        done = training.batch
        limit = 1 if heard_each_time(training) else len(takes)
        while done < len(takes):
            updates = min(self.size, limit, int(np.argmin(np.append(takes[done:], False))))
            if updates:
                began = time.perf_counter()
                self._advance(training, plan, done, updates)
                self.size = portion(updates, time.perf_counter() - began)
            else:
                updates = 1
                batch, rows = next(self.loader.epoch(training.epoch, done))
                training.totals.add(self.step.update(batch), rows)
            done += updates
            yield updates

    def _advance(self, training: Training, plan: Plan, first: int, updates: int) -> None:
        rates = np.array(training.upcoming(updates))
        if np.ndim(self.program.rule.numbers["lr"]) == 0:
            rates = rates[:, :1]
        turns = self.program.turns(plan, rates, first)
        rows = plan.filled[first : first + updates].numpy()
        if rows.shape[1] < training.totals.rows.size:
            rows = np.repeat(rows, training.totals.rows.size, axis=1)
        call, fixed, names = self.call, self.fixed, self.program.kept_names
        if names:
            for turn, n in zip(turns, rows, strict=True):
                training.totals.kept.append((dict(zip(names, call(fixed + turn), strict=True)), n))
        else:
            for turn in turns:
                call(fixed + turn)
        if self.loader.device.type == "cuda":
            torch.cuda.synchronize(self.loader.device)
        training.totals.rows += rows.sum(0)


def heard_each_time(training: Training) -> bool:
    """Whether any callback wants to hear of every single update."""
    listeners = [listener for fit in training.fits for listener in fit.listeners()]
    return any(i.every_update and type(i).on_batch_end is not Callback.on_batch_end for i in listeners)


def portion(size: int, seconds: float) -> int:
    """Updates of the next portion, after one of `size` took `seconds`."""
    return max(min(int(size * PORTION_SECONDS / max(seconds, 1e-9)), 4 * size), 1)
