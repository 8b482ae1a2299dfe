"""What a training shows while it runs: a bar on a terminal, one line per epoch anywhere else."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from typing import Any

from rich import progress
from rich.console import RenderableType
from rich.text import Text

from dlrun import console
from dlrun.contracts import Callback
from dlrun.run_folder import RunFolder

log = logging.getLogger("dlrun")

REDRAW_SECONDS = 0.1


class Progress(Callback):
    """An observer of `trainer.Fit`, or of several that train as one; then the first to be heard is shown. It looks at
    logged values only, so it never waits for the device.

    title: what is trained. steps: updates per epoch. folders: their `status` is
    renewed on the way.
    """

    every_update = False

    def __init__(self, title: str, steps: int, folders: list[RunFolder]):
        self.title, self.steps, self.folders = title, steps, folders
        self.whose = "one of the runs: " if len(folders) > 1 else ""
        self.bar: _Bar | None = None
        self.drawn = 0.0
        self.began = time.monotonic()
        self.first = 0
        self.told = 0

    def on_fit_begin(self, fit: Any) -> None:
        """Start the clock, and the bar where there is a terminal."""
        if self.bar:
            return
        self.began = time.monotonic()
        self.first = fit.done * self.steps + fit.batch
        if console.wants_bar():
            self.bar = _Bar(console=console.err, auto_refresh=False)
            self.bar.add_task(self.title, total=fit.epochs * self.steps, completed=self.first)
            self._redraw(fit, self.first)
            self.bar.start()

    def on_batch_end(self, fit: Any) -> None:
        """Ten times a second at most."""
        now = time.monotonic()
        if now - self.drawn < REDRAW_SECONDS:
            return
        self.drawn = now
        for folder in self.folders:
            folder.beat(stage=self.title, epoch=fit.epoch, epochs=fit.epochs)
        if self.bar:
            self._redraw(fit, (fit.epoch - 1) * self.steps + fit.batch)

    def on_epoch_end(self, fit: Any) -> None:
        """A line for `log.txt`, and for the screen where there is no bar."""
        if fit.epoch <= self.told:
            return
        self.told = fit.epoch
        rate = (fit.epoch * self.steps - self.first) / max(time.monotonic() - self.began, 1e-9)
        left = (fit.epochs - fit.epoch) * self.steps / rate
        where = f"{self.title} epoch {fit.epoch}/{fit.epochs}"
        line = f"{where}: {self.whose}{_values(fit)} · {rate:,.0f} updates/s · {_span(left)} left"
        log.log(logging.DEBUG if self.bar else logging.INFO, "%s", line)
        if self.bar:
            self._redraw(fit, fit.epoch * self.steps)

    def on_fit_end(self, fit: Any) -> None:
        """The bar stays with its last values; one that early stopping cut short is full too."""
        if self.bar:
            (task,) = self.bar.tasks
            task.total = task.completed  # by `update` the rate would be forgotten
            self.bar.update(task.id)
        self.close()

    def close(self) -> None:
        """Give the terminal back, also when training ends by an error."""
        if self.bar:
            self.bar.stop()
            self.bar = None

    def _redraw(self, fit: Any, completed: int) -> None:
        assert self.bar
        self.bar.values = self.whose + _values(fit)
        epoch = f"epoch {min(max(fit.epoch, 1), fit.epochs)}/{fit.epochs}"
        self.bar.update(self.bar.task_ids[0], completed=completed, epoch=epoch)
        self.bar.refresh()


class _Bar(progress.Progress):
    """Two lines, so that 80 columns are enough: where the training is, and the last complete epoch's values."""

    values = ""

    @classmethod
    def get_default_columns(cls) -> tuple[progress.ProgressColumn, ...]:
        """What the first line shows."""
        return (
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(bar_width=20),
            progress.TextColumn("{task.fields[epoch]}"),
            _Rate(),
            _Left(),
        )

    def get_renderables(self) -> Iterable[RenderableType]:
        """The bar and, once there are any, the values; broken over lines where they are many."""
        yield self.make_tasks_table(self.tasks)
        if self.values:
            yield Text(self.values)


class _Rate(progress.ProgressColumn):
    def render(self, task: progress.Task) -> Text:
        """Updates per second."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f} updates/s" if speed else "", style="cyan")


class _Left(progress.ProgressColumn):
    def render(self, task: progress.Task) -> Text:
        """Time left at the present rate; at the end, the time it took."""
        if task.finished:
            return Text(f"in {_span(task.finished_time or 0.0)}", style="cyan")
        return Text(f"{_span(task.time_remaining)} left" if task.time_remaining is not None else "", style="cyan")


def _values(fit: Any) -> str:
    """The last complete epoch's values, means over the members that trained in it."""
    logs = [fit.logs[k] for k in fit.rows_of]
    names = logs[0] if logs else {}
    return "  ".join(f"{name} {sum(one[name] for one in logs) / len(logs):.4f}" for name in names)


def _span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
