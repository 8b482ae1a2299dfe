"""The folder of a run, `<runs_dir>/<task>/<signature>/`: every file of it is named and written here."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import shutil
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from dlrun.errors import BusyError, RunError
from dlrun.files import append_text, cant_write, remove_side_files, write_text

log = logging.getLogger("dlrun")

HEARTBEAT_SECONDS = 10.0
"""How often a running process renews `status`; one that is three times as old has died."""


class RunFolder:
    """An opened run folder. Writers hold its lock until they end; readers need none."""

    def __init__(self, path: Path):
        self.path = path
        self._lock: Any = None
        self._beat = 0.0

    config = property(lambda self: self.path / "config.yaml")
    overrides = property(lambda self: self.path / "overrides.yaml")
    environment = property(lambda self: self.path / "environment.json")
    metrics = property(lambda self: self.path / "metrics.jsonl")
    summary = property(lambda self: self.path / "summary.json")
    status = property(lambda self: self.path / "status")
    log = property(lambda self: self.path / "log.txt")
    state = property(lambda self: self.path / "checkpoints" / "state.pt")
    plots = property(lambda self: self.path / "plots")
    artifacts = property(lambda self: self.path / "artifacts")

    def weights(self, stage: str, split: str, which: str) -> Path:
        """`checkpoints/fit-r0f1-best.safetensors`; which: `last` or `best`."""
        return self.path / "checkpoints" / f"{stage}-{split}-{which}.safetensors"

    def lock(self) -> None:
        """Become the only writer. Raises BusyError when another process is, RunError where none can be."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = (self.path / "lock").open("a+")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            remove_side_files(self.path)
        except BlockingIOError:
            self.unlock()
            who = self.read_status()
            raise BusyError(
                f"{self.path} is being worked on by process {who.get('pid', '?')} on {who.get('host', '?')}; "
                f"look at it with: dlrun runs"
            ) from None
        except OSError as error:
            self.unlock()
            raise RunError(cant_write(self.path / "lock", error)) from None

    def unlock(self) -> None:
        """Let others write."""
        if self._lock:
            self._lock.close()
            self._lock = None

    def move_aside(self) -> Path:
        """Keep what is there under the next free numbered name, and start with an empty folder."""
        number = 1
        while (old := self.path.with_name(f"{self.path.name}.{number}")).exists():
            number += 1
        held, self._lock = self._lock, None
        self.path.rename(old)
        self.lock()
        held.close()
        return old

    def remove(self) -> None:
        """Delete the folder, and its task's where that is left empty. For the only writer."""
        shutil.rmtree(self.path)
        with suppress(OSError):
            self.path.parent.rmdir()

    def read_status(self) -> dict[str, Any]:
        """`{"state", "pid", "host", "heartbeat", …}`; state is `running`, `finished`, `failed`, `preempted`, and
        `dead` for one that says running, has stopped renewing it and holds no lock. Empty when there is none."""
        try:
            status: dict[str, Any] = json.loads(self.status.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        silent = time.time() - status.get("heartbeat", 0) > 3 * HEARTBEAT_SECONDS
        if status.get("state") == "running" and silent and not self._is_locked():
            status["state"] = "dead"
        return status

    def _is_locked(self) -> bool:
        try:
            with (self.path / "lock").open() as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:  # no lock file, or a file system without locks: the heartbeat has the last word
            pass
        return False

    def write_status(self, state: str, **more: Any) -> None:
        """Say where the run stands. A disk too full for it is not worth losing the run's own error over."""
        self._beat = time.monotonic()
        status = {"state": state, "pid": os.getpid(), "host": socket.gethostname(), "heartbeat": time.time(), **more}
        try:
            # A heartbeat is of no use after a power cut, and a sweep has one for each of its runs.
            write_text(self.status, json.dumps(status) + "\n", lasting=state != "running")
        except Exception as error:
            log.warning("%s", error)

    def beat(self, **more: Any) -> None:
        """Renew `status` when it is time."""
        if time.monotonic() - self._beat > HEARTBEAT_SECONDS:
            self.write_status("running", **more)

    def append_rows(self, rows: list[dict[str, Any]]) -> None:
        """History rows, one JSON object a line."""
        append_text(self.metrics, "".join(json.dumps(row) + "\n" for row in rows))

    def read_rows(self) -> list[dict[str, Any]]:
        """All history rows; empty when there are none yet."""
        if not self.metrics.exists():
            return []
        return [json.loads(line) for line in self.metrics.read_text(encoding="utf-8").splitlines()]

    def metrics_bytes(self) -> int:
        """Length of the history, to cut it back to when a resumed run repeats an epoch."""
        return self.metrics.stat().st_size if self.metrics.exists() else 0

    def cut_rows(self, length: int) -> None:
        """Forget the rows that a resumed run will write again. Raises RunError when rows are missing."""
        there = self.metrics_bytes()
        if there < length:
            raise RunError(
                f"{self.metrics} has {there} bytes, and the resume state goes on after {length}: it was changed. "
                f"Start this run afresh: delete {self.state}*, or keep the old folder by rerun=true."
            )
        if there > length:
            os.truncate(self.metrics, length)

    def read_summary(self) -> dict[str, Any] | None:
        """The result of a finished run, else None."""
        try:
            summary: dict[str, Any] = json.loads(self.summary.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return summary


def all_folders(runs_dir: Path, task: str | None = None) -> list[RunFolder]:
    """Every run on disk, newest first."""
    found = [(f.stat().st_mtime, f.parent) for f in runs_dir.glob(f"{task or '*'}/*/config.yaml") if f.parent.is_dir()]
    return [RunFolder(path) for _, path in sorted(found, reverse=True)]
