"""`train -m`: every combination as a run of its own, through Hydra's sweeper and launcher.

A failed job is shown when it fails and does not stop the others; the table at the end names each.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from hydra._internal.hydra import Hydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobStatus
from omegaconf import DictConfig

from dlrun import console
from dlrun.compose import Composer
from dlrun.errors import ConfigError, DlrunError

log = logging.getLogger("dlrun")


def sweep(composer: Composer, words: list[str]) -> int:
    """Run all jobs and show them; returns the exit code of the worst."""
    began = time.monotonic()
    hydra: Hydra = composer.hydra
    returned = hydra.multirun("config", job, [*words, "hydra.mode=MULTIRUN"], with_log_configuration=False)
    jobs = [one for batch in returned for one in batch]
    rows, worst = [], 0
    for one in jobs:
        if one.status != JobStatus.COMPLETED:  # an error that is no DlrunError: ours to mend, not the user's
            raise one._return_value
        result = one.return_value
        worst = max(worst, result["exit_code"])
        values = [result["overrides"], result["signature"], result["shown"]]
        rows.append([len(rows) + 1, *values])
    console.table(["job", "overrides", "run", "result"], rows, title=f"{len(rows)} jobs in {time.monotonic() - began:.0f} s")
    return worst


def job(config: DictConfig) -> dict[str, Any]:
    """One job of a sweep, called by Hydra's launcher: exit code and what to show of it."""
    from dlrun.config import parse
    from dlrun.reporting import headline
    from dlrun.runner import run

    words = list(HydraConfig.get().overrides.task)
    told = " ".join(words)
    log.info("job: %s", told)
    try:
        parsed, problems = parse(config, HydraConfig.get().runtime.choices.get("task"))
        if parsed is None:
            raise ConfigError(problems)
        summary = run(parsed, words)
    except DlrunError as error:
        console.error(error)
        first = (str(error).splitlines() or [""])[0]
        return {"exit_code": error.exit_code, "overrides": told, "signature": "-", "shown": f"failed: {first}"}
    return {"exit_code": 0, "overrides": told, "signature": summary["signature"], "shown": headline(summary)}
