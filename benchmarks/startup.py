"""How long a command takes before it does anything: help, lists, and the way to the first update."""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks._measure import PEERS, Result, Row, spread, timed

DLRUN = str(Path(sys.executable).with_name("dlrun"))
PYTHON = [sys.executable, "-c"]
NO_TORCH = "import sys; from dlrun.cli import main; main({words}); sys.exit('torch' in sys.modules)"


def run(rounds: int) -> Result:
    """Processes timed from outside, in turns."""
    result = Result()
    with tempfile.TemporaryDirectory() as folder:
        commands = {
            "python": [*PYTHON, "pass"],
            "import hydra": [*PYTHON, "import hydra"],
            "dlrun --help": [DLRUN, "--help"],
            "dlrun list task": [DLRUN, "list", "task"],
            # The first update ends its process without torch's half second of teardown: so must this.
            "import torch": [*PYTHON, "import torch, os; os._exit(0)"],
            "import torch, with teardown": [*PYTHON, "import torch"],
            "first update": [sys.executable, str(PEERS / "dlrun_first_update.py"), "task=imdb_dense"],
        }
        for words in (["--help"], ["list", "task"]):
            timed([*PYTHON, NO_TORCH.format(words=words)], folder)  # fails if torch was imported
        for command in commands.values():  # once uncounted: data cached, files of the packages read
            timed(command, folder)
        times: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(rounds):
            for name, command in commands.items():
                times[name].append(timed(command, folder).seconds)
    result.raw = dict(times)
    for name in ("dlrun --help", "dlrun list task"):
        share = [a / b for a, b in zip(times[name], times["import hydra"], strict=True)]
        result.rows.append(
            Row(
                f"`{name}` against `import hydra`",
                f"{_seconds(times[name])} against {_seconds(times['import hydra'])}",
                f"{spread(share)} x; torch is not imported",
                "at most 3 x, no torch",
                statistics.median(share) <= 3,
            )
        )
    over = [a - b for a, b in zip(times["first update"], times["import torch"], strict=True)]
    result.rows.append(
        Row(
            "`dlrun train task=imdb_dense` to its first update, over `import torch`",
            f"{_seconds(times['first update'])} against {_seconds(times['import torch'])}",
            f"{spread(over, ' s')} more",
            "at most 1.5 s more",
            statistics.median(over) <= 1.5,
        )
    )
    return result


def _seconds(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} s"
