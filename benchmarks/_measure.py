"""Contenders in processes of their own that train in turns, and what their times say side by side.

The machine may be shared and its speed may drift, so nothing is timed alone: in every round each contender
has one epoch, and contenders are compared round by round.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

PEERS = Path(__file__).parent / "peers"
DLRUN = [sys.executable, "-m", "dlrun"]


@dataclass
class Row:
    """One line of the table. target: what the project asks for, empty where it asks nothing."""

    what: str
    figures: str
    result: str = ""
    target: str = ""
    met: bool | None = None


@dataclass
class Result:
    """Lines of the table and the raw figures that they come from."""

    rows: list[Row] = field(default_factory=list)
    raw: dict[str, Any] = field(default_factory=dict)


class Contender:
    """A process that trains some epochs per turn. command: a script in `peers/` and its words. folder: where it
    runs and leaves its log."""

    def __init__(self, name: str, command: list[str], folder: str, python: str = sys.executable):
        self.name, self.log = name, Path(folder) / f"{name.replace(' ', '_')}.log"
        self.turns: list[dict[str, Any]] = []
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [python, str(PEERS / command[0]), *command[1:]],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, cwd=folder,
            )  # fmt: skip

    def turn(self, epochs: int = 1) -> None:
        """Some epochs. Raises RuntimeError with the end of the contender's log when it has died."""
        assert self.process.stdin
        assert self.process.stdout
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(f"{epochs}\n")
            self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended:\n{self.log.read_text()[-2000:]}")
        self.turns.append(json.loads(line))

    def values(self, key: str = "seconds") -> list[float]:
        """Of each counted turn: the first, with compiling and first touches, is not one of them."""
        return [t[key] for t in self.turns[1:]]

    def close(self) -> float:
        """Hang up; returns the peak memory in GB."""
        assert self.process.stdin
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        return wait_for(self.process, time.perf_counter()).peak_gb


def in_turns(contenders: list[Contender], rounds: int, epochs: int = 1) -> dict[str, Any]:
    """A warm-up epoch each, then `rounds` rounds, every second one in reverse; returns the raw figures, in
    seconds per epoch. epochs: per turn, more where one takes a fraction of a second and would be all start."""
    try:
        for contender in contenders:
            contender.turn()
        for number in range(rounds):
            for contender in contenders[:: -1 if number % 2 else 1]:
                contender.turn(epochs)
    finally:
        peaks = {c.name: c.close() for c in contenders}
    return {
        c.name: {
            "warm_up_seconds": c.turns[0]["seconds"],
            "peak_gb": peaks[c.name],
            **{key: c.values(key) for key in c.turns[0]},
        }
        for c in contenders
    }


def compare(what: str, ours: Contender, other: Contender, target: str = "", least: float = 0.0) -> Row:
    """How many times longer `other` takes for an epoch, round by round. least: what `target` asks of it."""
    factor = [b / a for a, b in zip(ours.values(), other.values(), strict=True)]
    return Row(
        f"{what}: {ours.name} against {other.name}",
        f"{spread(ours.values(), ' s')} against {spread(other.values(), ' s')}",
        f"{spread(factor)} x as fast; best epochs: {min(other.values()) / min(ours.values()):.2f} x",
        target,
        statistics.median(factor) >= least if target else None,
    )


def spread(values: list[float], unit: str = "") -> str:
    """`median unit (smallest to largest)`."""
    low, mid, high = map(short, (min(values), statistics.median(values), max(values)))
    return f"{mid}{unit} ({low} to {high})"


def short(value: float) -> str:
    """Three digits, or all before the point."""
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


class Usage(NamedTuple):
    """What a process took: seconds, CPU seconds of all threads, peak memory (resident set) in GB of 1e9 bytes."""

    seconds: float
    cpu_seconds: float
    peak_gb: float


def timed(command: list[str], folder: str, **environment: str) -> Usage:
    """What a command takes, as seen from outside; what it printed is for `said`. Raises RuntimeError when it fails."""
    log, out = Path(folder) / "command.log", Path(folder) / "command.out"
    began = time.perf_counter()
    with log.open("w") as errors, out.open("w") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=errors, cwd=folder, env={**os.environ, **environment}
        )  # fmt: skip
        usage = wait_for(process, began)
    if process.returncode:
        words = (out.read_text() + log.read_text())[-2000:]
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}:\n{words}")
    return usage


def said(folder: str) -> dict[str, Any]:
    """The line of JSON that the command last timed in a folder ended with."""
    figures: dict[str, Any] = json.loads((Path(folder) / "command.out").read_text().splitlines()[-1])
    return figures


def wait_for(process: subprocess.Popen[Any], began: float) -> Usage:
    """Wait for a child that began at a `time.perf_counter()`."""
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    unit = 1 if sys.platform == "darwin" else 1024
    return Usage(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit / 1e9)
