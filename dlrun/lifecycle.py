"""Opening a run's folder and leaving it in a state that says what happened."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import yaml

from dlrun import console, signals
from dlrun.config import RunConfig
from dlrun.errors import ConfigError, DataError, DlrunError, Interrupted, Preempted
from dlrun.files import write_text
from dlrun.run_folder import RunFolder

log = logging.getLogger("dlrun")


@contextmanager
def opened(folder: RunFolder, config: RunConfig, overrides: list[str]) -> Iterator[dict[str, Any] | None]:
    """Lock the folder and yield the summary of a finished run, or None for one that is to be done.

    Raises BusyError when another process works on it. Signals are caught inside; `status` is left at
    finished, failed or preempted.
    """
    folder.lock()
    new = not folder.config.exists()
    try:
        if config.rerun and _left_over(folder):
            log.info("rerun: the old run is kept as %s", folder.move_aside())
        elif folder.read_status().get("state") == "finished" and (summary := folder.read_summary()):
            log.info("finished before: %s (rerun=true runs it again)", folder.path)
            yield summary
            return
        write_text(folder.config, yaml.safe_dump(config.to_dict(), sort_keys=False))
        write_text(folder.overrides, yaml.safe_dump(overrides))
        with console.logging_to(folder.log), signals.caught(), _status(folder):
            yield None
    except (ConfigError, DataError):
        if new and not folder.metrics.exists():
            folder.remove()  # nothing was trained, so nothing is left behind
        raise
    finally:
        folder.unlock()


def _left_over(folder: RunFolder) -> bool:
    """Whether what is there is an old run. One that was itself started by `rerun=true` and then killed is
    not: the same command goes on with it."""
    if not folder.config.exists():
        return False
    was_rerun = bool((yaml.safe_load(folder.config.read_text(encoding="utf-8")) or {}).get("rerun"))
    return folder.read_status().get("state") == "finished" or not was_rerun


@contextmanager
def _status(folder: RunFolder) -> Iterator[None]:
    folder.write_status("running")
    try:
        yield
    except (Preempted, Interrupted, KeyboardInterrupt) as error:
        folder.write_status("preempted", why=str(error) or "interrupted")
        raise
    except BaseException as error:
        reason = str(error) or type(error).__name__
        folder.write_status("failed", why=reason.splitlines()[0])
        if isinstance(error, DlrunError):
            log.debug("failed: %s", error)
        else:
            log.debug("failed", exc_info=True)
        raise
    folder.write_status("finished")
