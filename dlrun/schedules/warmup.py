"""The learning rate rises in a straight line to its base, then stays."""

from __future__ import annotations

from dlrun.contracts import Schedule
from dlrun.schedules._rates import Rates, Share, rising, warmup_updates
from dlrun.types import Count, Rate


def build(*, start: Rate = 0.1, epochs: Count = 1, steps: Count | None = None) -> Schedule:
    """The update after u others uses `lr * (start + (1 - start) * u / W)` while u < W, then lr, as torch's
    LinearLR stepped after each update.

    W is the updates of so many epochs, or `steps` in their place. start: a share of lr; with 0 the first
    update changes nothing. Of a warm-up as long as the run the guard patience warns.
    """

    def plan(steps_per_epoch: int, _: int) -> Share:
        length = warmup_updates(steps, epochs, steps_per_epoch)
        return lambda done: rising(done, length, start)

    return Rates(plan)
