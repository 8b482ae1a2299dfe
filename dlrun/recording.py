"""Where a run stands: its history rows, and the state that a restart goes on from."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import Any

from dlrun.checkpoint import load_state, save_state
from dlrun.contracts import Callback, Split
from dlrun.errors import RunError
from dlrun.run_folder import RunFolder
from dlrun.trainer import Fit

log = logging.getLogger("dlrun")


@dataclass(frozen=True)
class Job:
    """Splits trained in one go, as a stack when there are several. stage: `fit` or `refit`. scheduled: the
    learning rate changes, and so is a part of the history."""

    stage: str
    splits: list[Split]
    epochs: int
    scheduled: bool = False


FORM = 2
"""Of the resume state: one of another form is refused."""


class Progressed:
    """How far a run is: jobs done, the fit under way, epochs and seconds so far, those before a restart too.

    Everything up to the last `commit` is kept; everything after it is repeated by a restart.
    """

    def __init__(self, folder: RunFolder):
        self.folder = folder
        self.started = time.monotonic()
        self.state: dict[str, Any] = {"form": FORM, "job": 0, "fit": None, "seconds": 0.0, "epochs": 0,
                                      "epoch_seconds": 0.0, "metrics_bytes": 0}  # fmt: skip
        saved = load_state(folder.state)
        if saved:
            if saved.get("form") != FORM:
                raise RunError(
                    f"{folder.state} was written by another version of dlrun, which this one can't go on from. "
                    f"Start afresh: rerun=true keeps the old folder under a numbered name."
                )
            self.state = saved
            log.info("resuming %s", folder.path)
        folder.cut_rows(self.state["metrics_bytes"])

    def seconds(self) -> float:
        """Seconds of work."""
        return float(self.state["seconds"] + time.monotonic() - self.started)

    def commit(self, job: int, fit: dict[str, Any] | None) -> None:
        """Write the state. job: the number of the one under way; fit: its `trainer.Fit.state_dict`, if begun."""
        self.state |= {"job": job, "fit": fit, "metrics_bytes": self.folder.metrics_bytes()}
        save_state(self.folder.state, {**self.state, "seconds": self.seconds()})


class Recorder(Callback):
    """Writes the history rows of one job, and its state when asked. An observer of `trainer.Fit`."""

    def __init__(self, progressed: Progressed, job: Job):
        self.progressed, self.job = progressed, job
        self.began = time.monotonic()

    def save(self, fit: dict[str, Any]) -> None:
        """The state of a fit under way."""
        self.progressed.commit(self.progressed.state["job"], fit)

    def on_epoch_begin(self, fit: Fit) -> None:
        """Note the time."""
        self.began = time.monotonic()

    def on_epoch_end(self, fit: Fit) -> None:
        """One row per member and part."""
        rows = []
        for k in fit.rows_of:
            split, logs = self.job.splits[k], fit.logs[k]
            head = {"stage": self.job.stage, "repeat": split.repeat, "fold": split.fold, "epoch": fit.epoch}
            train = {n: v for n, v in logs.items() if not n.startswith("val_")}
            rows.append({**head, "split": "train", **train, **({"lr": fit.rate} if self.job.scheduled else {})})
            val = {n.removeprefix("val_"): v for n, v in logs.items() if n.startswith("val_")}
            rows += [{**head, "split": "val", **val}] if val else []
        self.progressed.folder.append_rows(rows)
        self.progressed.state["epochs"] += 1
        self.progressed.state["epoch_seconds"] += time.monotonic() - self.began
