"""Kill a training with SIGKILL at random moments, start it again, and compare it with an unbroken one.

  python tests/kill_and_resume.py [task=imdb_dense …overrides] [times=10] [kills=2] [moments=0]

The command runs once unbroken. Then, `times` times, it is started in an empty folder, killed, and started again
by the same command until it ends; one try in two is killed `kills` times, the others once. One kill in two comes
at a moment drawn evenly from the unbroken run's duration (so also during start-up, while data are read, a
checkpoint is written or a plot is drawn), the other soon after a history row drawn evenly from all, so that runs
are resumed in their middle however busy the machine is. metrics.jsonl and all weights must be the same byte for byte, and so must the
metrics in summary.json. Ends with `10 of 10 bit-equal`; exit code 1 otherwise.

moments=N seeds the random moments. All other words are handed to `dlrun train`; the resume state is written
after every epoch (callbacks.checkpoint.every_seconds=0) unless they say otherwise.

Examples
  python tests/kill_and_resume.py task=imdb_dense dataset.source=sample
  DLRUN_MIRROR=/path/to/files python tests/kill_and_resume.py task=imdb_dense_final
  python tests/kill_and_resume.py task=imdb_dense dataset.source=sample evaluation=kfold evaluation.refit=best \
      evaluation.test=true times=20 moments=7
"""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

EVERY_EPOCH = "callbacks.checkpoint.every_seconds=0"


@dataclass
class Try:
    """One killed and restarted run. kills: what each kill hit. differences: empty when bit-equal."""

    kills: list[str] = field(default_factory=list)
    resumed: int = 0
    differences: list[str] = field(default_factory=list)


class Moment(NamedTuple):
    """`seconds` after the history has `rows` rows; with 0 rows, after the start."""

    rows: int
    seconds: float


def rows_written(runs_dir: Path) -> int:
    """Lines of history so far."""
    folder = run_folder(runs_dir)
    metrics = folder / "metrics.jsonl" if folder else None
    return metrics.read_bytes().count(b"\n") if metrics and metrics.exists() else 0


def start(words: list[str], runs_dir: Path) -> subprocess.Popen[str]:
    """The command, in a process of its own."""
    command = [sys.executable, "-m", "dlrun", "train", *words, f"runs_dir={runs_dir}"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(process: subprocess.Popen[str]) -> None:
    """Wait for the end. Raises RuntimeError with the output when it is no success."""
    output, _ = process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"exit code {process.returncode}\n{output}")


def run_folder(runs_dir: Path) -> Path | None:
    """The only run in a folder of runs."""
    found = list(runs_dir.glob("*/*/lock"))
    return found[0].parent if found else None


def where(runs_dir: Path) -> str:
    """What a killed run had done."""
    folder = run_folder(runs_dir)
    if folder is None:
        return "before its folder was there"
    if not rows_written(runs_dir):
        return "before its first epoch was done"
    last = json.loads((folder / "metrics.jsonl").read_text().splitlines()[-1])
    place = f"{last['stage']} r{last['repeat']}f{last['fold']}, after epoch {last['epoch']}"
    if list((folder / "checkpoints").glob(f"{last['stage']}-r{last['repeat']}f{last['fold']}-*")):
        place += ", weights written"
    return place + (", summary written" if (folder / "summary.json").exists() else "")


def results(runs_dir: Path) -> dict[str, Any]:
    """All that must be equal: history and weights in bytes, metrics, status, openings of the test set."""
    folder = run_folder(runs_dir)
    assert folder is not None
    files = [folder / "metrics.jsonl", *sorted((folder / "checkpoints").glob("*.safetensors"))]
    ledger = runs_dir / "test_ledger.jsonl"
    return {
        **{file.name: file.read_bytes() for file in files},
        "summary.json": json.loads((folder / "summary.json").read_text())["metrics"],
        "status": json.loads((folder / "status").read_text())["state"],
        "openings of the test set": len(ledger.read_text().splitlines()) if ledger.exists() else 0,
        "side files": [str(path.name) for path in folder.rglob(".*")],
    }


def differences(ours: dict[str, Any], unbroken: dict[str, Any]) -> list[str]:
    """The names of what is not equal."""
    return [name for name in {**unbroken, **ours} if ours.get(name) != unbroken.get(name)]


def wait_for(moment: Moment, process: subprocess.Popen[str], runs_dir: Path) -> None:
    """Until it is time to kill, or until the process has ended."""
    while process.poll() is None and moment.rows > rows_written(runs_dir):
        time.sleep(0.001)
    with suppress(subprocess.TimeoutExpired):
        process.wait(moment.seconds)


def one_try(words: list[str], moments: list[Moment], unbroken: dict[str, Any], runs_dir: Path) -> Try:
    """Start and kill at each of `moments`, go on to the end, compare."""
    done = Try()
    for moment in moments:
        began = time.monotonic()
        process = start(words, runs_dir)
        wait_for(moment, process, runs_dir)
        seconds = time.monotonic() - began
        process.kill()
        process.communicate()
        died = process.returncode == -signal.SIGKILL
        done.kills.append(f"killed after {seconds:.2f} s, {where(runs_dir)}" if died else "ended before the kill")
    finish(start(words, runs_dir))
    folder = run_folder(runs_dir)
    assert folder is not None
    done.resumed = (folder / "log.txt").read_text().count("resuming")
    done.differences = differences(results(runs_dir), unbroken)
    return done


def compare(words: list[str], times: int, kills: int, seed: int, say: Any = print) -> list[Try]:
    """`times` killed runs beside an unbroken one; each that was not hit in time is tried again."""
    if not any(word.startswith(EVERY_EPOCH.partition("=")[0]) for word in words):
        words = [*words, EVERY_EPOCH]
    draw = random.Random(seed)
    tries: list[Try] = []
    with tempfile.TemporaryDirectory() as name:
        began = time.monotonic()
        finish(start(words, Path(name) / "unbroken"))
        seconds = time.monotonic() - began
        unbroken = results(Path(name) / "unbroken")
        rows = unbroken["metrics.jsonl"].count(b"\n")
        say(f"unbroken: {seconds:.1f} s, {rows} rows of history")
        while len(tries) < times:
            several = kills if draw.random() < 0.5 else 1
            moments = [
                Moment(0, draw.uniform(0, seconds))
                if draw.random() < 0.5
                else Moment(draw.randint(1, rows), draw.uniform(0, seconds / rows))
                for _ in range(several)
            ]
            runs_dir = Path(name) / "killed"
            done = one_try(words, moments, unbroken, runs_dir)
            shutil.rmtree(runs_dir)
            if any(kill.startswith("killed") for kill in done.kills):
                tries.append(done)
            verdict = f"DIFFERENT: {', '.join(done.differences)}" if done.differences else "bit-equal"
            say(f"{len(tries):3}. {'; '.join(done.kills)}; resumed {done.resumed} times: {verdict}")
    return tries


def main(words: list[str]) -> int:
    """Read the words, report, return the exit code."""
    if "--help" in words or "-h" in words:
        print(__doc__)
        return 0
    own = {"times": 10, "kills": 2, "moments": 0}
    handed = []
    for word in words:
        key, _, value = word.partition("=")
        if key in own:
            own[key] = int(value)
        else:
            handed.append(word)
    if not any(word.startswith("task=") for word in handed):
        handed.insert(0, "task=imdb_dense")
    tries = compare(handed, own["times"], own["kills"], own["moments"])
    equal = sum(not one.differences for one in tries)
    print(f"{equal} of {len(tries)} bit-equal")
    return 0 if equal == len(tries) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
