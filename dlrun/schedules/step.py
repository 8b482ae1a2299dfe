"""The learning rate falls by a factor every few epochs, or at given ones."""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise
from typing import Annotated

from pydantic import Field

from dlrun.contracts import Schedule
from dlrun.errors import ConfigError, Problem
from dlrun.schedules._rates import Rates, Share
from dlrun.types import Count

Factor = Annotated[float, Field(gt=0, le=1)]
"""What makes nothing larger, and leaves something; 1 changes nothing."""


def build(*, step_size: Count = 10, milestones: list[Count] | None = None, gamma: Factor = 0.1) -> Schedule:
    """Epoch e, counted from 1, uses `lr * gamma ** n`; n is how many times `step_size` epochs, or how many of the
    milestones, are behind it: with step_size 10 or milestones [10, …], epochs 1 to 10 use lr and 11 lr * gamma.

    As torch's StepLR and MultiStepLR. milestones: in increasing order, in place of step_size. Raises ConfigError
    for others.
    """
    if milestones is not None and (not milestones or any(a >= b for a, b in pairwise(milestones))):
        message = f"expected epochs in increasing order, received {milestones}"
        raise ConfigError(Problem("schedule.milestones", message, "such as [30, 60, 80], or null for step_size"))

    def falls(epochs: int) -> int:
        return epochs // step_size if milestones is None else bisect_right(milestones, epochs)

    def plan(steps: int, epochs: int) -> Share:
        return lambda done: gamma ** falls(done // steps)

    return Rates(plan, every_update=False)
