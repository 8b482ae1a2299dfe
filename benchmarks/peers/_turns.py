"""The contenders' side of `_measure.Contender`: some epochs when their number comes in, a line of JSON back.

Needs nothing but the standard library: it also runs in environments without torch.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn

_answers = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)  # what libraries print must not look like an answer


def wait() -> int:
    """Until the driver gives a turn: its number of epochs. The process ends when the driver hangs up."""
    line = sys.stdin.readline()
    if not line:
        os._exit(0)
    return int(line)


def answer(**values: Any) -> None:
    """Figures of one turn: `seconds`, and whatever else."""
    print(json.dumps(values), file=_answers)


def take_turns(train: Callable[[int], dict[str, Any]]) -> NoReturn:
    """train: does a number of epochs, waits for the device, and returns what it logged in the last one."""
    while True:
        epochs = wait()
        began = time.perf_counter()
        logs = train(epochs)
        answer(seconds=(time.perf_counter() - began) / epochs, **logs)


def repeated(epoch: Callable[[], dict[str, Any]]) -> Callable[[int], dict[str, Any]]:
    """One epoch as a training of several."""

    def train(epochs: int) -> dict[str, Any]:
        return [epoch() for _ in range(epochs)][-1]

    return train
