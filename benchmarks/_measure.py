"""Contenders in processes of their own that train in turns, and what their times say side by side.

The machine may be shared and its speed may drift, so nothing is timed alone: in every round each contender
has one epoch, and contenders are compared round by round.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PEERS = Path(__file__).parent / "peers"


@dataclass
class Row:
    """One line of the table. target: what the project asks for, empty where it asks nothing."""

    what: str
    figures: str
    result: str
    target: str = ""
    met: bool | None = None


@dataclass
class Result:
    """Lines of the table and the raw figures that they come from."""

    rows: list[Row] = field(default_factory=list)
    raw: dict[str, Any] = field(default_factory=dict)


class Contender:
    """A process that trains one epoch per turn. command: a script in `peers/` and its words."""

    def __init__(self, name: str, *command: str, python: str = sys.executable, cwd: str | None = None):
        self.name, self.turns = name, []  # type: str, list[dict[str, Any]]
        self.log = open(f"{cwd or '/tmp'}/{name.replace(' ', '_')}.log", "w+")  # noqa: SIM115
        self.process = subprocess.Popen(
            [python, str(PEERS / command[0]), *command[1:]],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True, cwd=cwd,
        )  # fmt: skip

    def turn(self) -> dict[str, Any]:
        """One epoch. Raises RuntimeError with the end of the contender's log when it has died."""
        assert self.process.stdin and self.process.stdout
        try:
            self.process.stdin.write("\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        line = self.process.stdout.readline()
        if not line:
            self.log.seek(0)
            raise RuntimeError(f"{self.name} ended:\n{self.log.read()[-2000:]}")
        values: dict[str, Any] = json.loads(line)
        self.turns.append(values)
        return values

    def seconds(self, key: str = "seconds") -> list[float]:
        """Of each counted turn: the first, with compiling and first touches, is not one of them."""
        return [t[key] for t in self.turns[1:]]

    def close(self) -> float:
        """Hang up; returns the peak memory in GB."""
        assert self.process.stdin
        self.process.stdin.close()
        return wait_for(self.process)


def in_turns(contenders: list[Contender], rounds: int) -> dict[str, Any]:
    """A warm-up epoch each, then `rounds` rounds, every second one in reverse; returns the raw figures."""
    for contender in contenders:
        contender.turn()
    for number in range(rounds):
        for contender in contenders[:: -1 if number % 2 else 1]:
            contender.turn()
    return {
        c.name: {
            "warm_up": c.turns[0]["seconds"],
            "seconds": c.seconds(),
            **({"whole": c.seconds("whole")} if "whole" in c.turns[0] else {}),
            "accuracy": c.turns[-1].get("accuracy"),
            "peak_gb": c.close(),
        }
        for c in contenders
    }


def ratios(one: list[float], other: list[float]) -> list[float]:
    """one / other, round by round."""
    return [a / b for a, b in zip(one, other, strict=True)]


def spread(values: list[float], unit: str = "", digits: int = 2) -> str:
    """`median unit (smallest to largest)`."""
    low, mid, high = min(values), statistics.median(values), max(values)
    return f"{mid:.{digits}f}{unit} ({low:.{digits}f} to {high:.{digits}f})"


def timed(command: list[str], **kwargs: Any) -> tuple[float, float]:
    """Seconds and peak memory in GB of a command that must succeed, as seen from outside."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **kwargs)
    peak = wait_for(process)
    seconds = time.perf_counter() - began
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
    return seconds, peak


def wait_for(process: subprocess.Popen[Any]) -> float:
    """Wait for a child; returns its peak memory (resident set) in GB of 1e9 bytes."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert isinstance(usage, resource.struct_rusage)
    return usage.ru_maxrss * 1024 / 1e9
