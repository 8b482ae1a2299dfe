"""`train -m`: every combination as a run of its own, through Hydra's sweeper and launcher.

A failed job is shown when it fails and does not stop the others; the table at the end names each.
"""

from __future__ import annotations

import functools
import logging
import time
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobStatus
from omegaconf import DictConfig

from dlrun import console, registry
from dlrun.compose import Composer
from dlrun.config import parse
from dlrun.errors import ConfigError, DlrunError

log = logging.getLogger("dlrun")


def sweep(composer: Composer, words: list[str], plugins: list[Path]) -> int:
    """Run all jobs and show them; returns the exit code of the worst."""
    began = time.monotonic()
    run_one = functools.partial(job, config_dirs=composer.config_dirs, plugins=plugins)
    returned = composer.hydra.multirun("config", run_one, [*words, "hydra.mode=MULTIRUN"], with_log_configuration=False)
    jobs = [one for batch in returned for one in batch]
    rows: list[list[Any]] = []
    worst = 0
    for one in jobs:
        if one.status != JobStatus.COMPLETED:  # an error that is no DlrunError: ours to mend, not the user's
            raise one._return_value
        result = one.return_value
        worst = max(worst, result["exit_code"])
        values = [result["overrides"], result["signature"], result["shown"]]
        rows.append([len(rows) + 1, *values])
    console.table(
        ["job", "overrides", "run", "result"],
        rows,
        title=f"{len(rows)} jobs in {time.monotonic() - began:.0f} s",
    )
    return worst


def job(_: DictConfig, config_dirs: list[Path], plugins: list[Path]) -> dict[str, Any]:
    """One job of a sweep, called by Hydra's launcher, perhaps in another process: exit code and result.

    Its words are composed once more, because ours is not quite Hydra's composition (`Composer.compose`).
    """
    from dlrun.reporting import headline
    from dlrun.runner import run

    words = list(HydraConfig.get().overrides.task)
    told = " ".join(words)
    log.info("job: %s", told)
    try:
        for folder in plugins:
            registry.add_plugins(folder)
        composed = Composer(config_dirs).compose(words)
        config, problems = parse(composed.config, composed.choices.get("task"))
        if config is None or problems or composed.problems:
            raise ConfigError([*composed.problems, *problems])
        summary = run(config, words)
    except DlrunError as error:
        console.error(error)
        first = (str(error).splitlines() or [""])[0]
        return {
            "exit_code": error.exit_code,
            "overrides": told,
            "signature": "-",
            "shown": f"failed: {first}",
        }
    return {"exit_code": 0, "overrides": told, "signature": summary["signature"], "shown": headline(summary)}
