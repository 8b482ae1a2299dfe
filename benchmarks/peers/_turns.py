"""The contenders' side of `_measure.Contender`: an epoch when a line comes in, a line of JSON back.

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


def wait() -> None:
    """Until the driver gives a turn; the process ends when the driver hangs up."""
    if not sys.stdin.readline():
        os._exit(0)


def answer(**values: Any) -> None:
    """Figures of one turn: `seconds`, and whatever else."""
    print(json.dumps(values), file=_answers)


def take_turns(epoch: Callable[[], dict[str, Any]]) -> NoReturn:
    """One epoch per turn. epoch: trains, waits for the device, and returns what it logged."""
    while True:
        wait()
        began = time.perf_counter()
        logs = epoch()
        answer(seconds=time.perf_counter() - began, **logs)
