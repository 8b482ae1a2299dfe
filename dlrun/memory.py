"""How much memory is left, asked before a user's own data are read."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from dlrun.errors import DataError


def available() -> int:
    """Bytes that this process may still take: what the machine has left, or its control group where that is less."""
    left = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    with suppress(OSError, ValueError, KeyError):
        left.append(_figures(Path("/proc/meminfo"))["MemAvailable"] * 1024)
    with suppress(OSError, ValueError, KeyError):
        (name,) = (line[3:] for line in Path("/proc/self/cgroup").read_text().split("\n") if line.startswith("0::"))
        group = Path("/sys/fs/cgroup", name.lstrip("/"))
        left.append(int((group / "memory.max").read_text()) - _figures(group / "memory.stat")["anon"])
    return max(min(left), 0)


def require(needed: float, what: str, way_out: str) -> None:
    """Raises DataError when `needed` bytes are more than there are. what: `1,000 rows of 4 numbers`."""
    there = available()
    if needed > there:
        raise DataError(
            f"{what} need about {needed / 1e9:.1f} GB of memory, and {there / 1e9:.1f} GB are available: {way_out}"
        )


def _figures(path: Path) -> dict[str, int]:
    """`name[:] number …` on each line."""
    words = (line.split() for line in path.read_text().splitlines())
    return {w[0].rstrip(":"): int(w[1]) for w in words if len(w) > 1}
