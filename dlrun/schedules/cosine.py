"""The learning rate follows half a cosine from its base to a final share, after a warm-up if wanted."""

from __future__ import annotations

import math

from dlrun.contracts import Schedule
from dlrun.schedules._rates import Rates, Share, rising, warmup_updates
from dlrun.types import Count, Natural, Rate


def build(*, final: Rate = 0.0, warmup_epochs: Natural = 0, warmup_steps: Count | None = None) -> Schedule:
    """Of a run of T updates with a warm-up of W, the one after u others uses `lr * (final + (1 - final) *
    (1 + cos(pi * (u - W) / (T - W))) / 2)`: lr at u = W, `final * lr` when all is done, as torch's
    CosineAnnealingLR stepped after each update.

    Before that, `lr * (u + 1) / (W + 1)`, a straight line to lr. warmup_steps: updates, in place of
    warmup_epochs. Of a warm-up as long as the run the guard patience warns.
    """

    def plan(steps: int, epochs: int) -> Share:
        total = steps * epochs
        warm = warmup_updates(warmup_steps, warmup_epochs, steps)

        def share(done: int) -> float:
            if done < warm:
                return rising(done, warm, 1 / (warm + 1))
            return final + (1 - final) * (1 + math.cos(math.pi * (done - warm) / (total - warm))) / 2

        return share

    return Rates(plan)
