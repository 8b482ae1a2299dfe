"""The hour from the angle of a clock's short hand by rounding and a table: good features need no learner (4.3.2)."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from dlrun import console
from dlrun.datasets import clock


def hour(angles: Tensor) -> Tensor:
    """[N, 2] angles in degrees, counter-clockwise from the x axis, short hand last; returns [N], 0 for twelve to 11."""
    clockwise_from_twelve = (90.0 - angles[:, 1].double()) % 360.0
    return (clockwise_from_twelve / 30.0).floor().long() % 12


def run(folder: Path) -> dict[str, float]:
    """Share of right hours on the test clocks. folder: not used, there are no pictures."""
    test = clock.build(features="angles").load().test
    assert test is not None
    angles = test.inputs["clock"]
    assert isinstance(angles, torch.Tensor)
    right = (hour(angles) == test.targets["hour"]).double().mean()
    figure = [["hours read right by rounding the angle", len(test), console.number(float(right))]]
    console.table(["what", "clocks", "share"], figure, "Angles of clocks", right=["clocks", "share"])
    return {"accuracy": float(right)}
