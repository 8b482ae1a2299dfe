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
from hydra.plugins.sweeper import Sweeper
from omegaconf import DictConfig

from dlrun import console, registry
from dlrun.compose import Composer
from dlrun.config import RunConfig, parse
from dlrun.errors import ConfigError, DlrunError
from dlrun.launching import register

log = logging.getLogger("dlrun")


def sweep(composer: Composer, words: list[str], plugins: list[Path]) -> int:
    """Run all jobs and show them; returns the exit code of the worst."""
    began = time.monotonic()
    register()
    # Hydra's would compose every job to see whether it can, for a tenth of a second each; ours says it job by job.
    Sweeper.validate_batch_is_legal = lambda self, batch: None  # type: ignore[method-assign]
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
        rows.append([len(rows) + 1, result["words"], result["signature"], result["shown"]])
    common = set.intersection(*(set(row[1]) for row in rows)) if len(rows) > 1 else set()
    for row in rows:
        row[1] = " ".join(word for word in row[1] if word not in common)
    console.table(
        ["job", "overrides", "run", "result"],
        rows,
        title=f"{len(rows)} jobs in {time.monotonic() - began:.0f} s",
    )
    return worst


def job(_: DictConfig, config_dirs: list[Path], plugins: list[Path]) -> dict[str, Any]:
    """One job of a sweep, called by Hydra's launcher, perhaps in another process: exit code and result."""
    words = list(HydraConfig.get().overrides.task)
    log.info("job: %s", " ".join(words))
    try:
        return _done(_config(words, config_dirs, plugins), words)
    except ConfigError as error:
        return _told(words, error)


def _done(config: RunConfig, words: list[str]) -> dict[str, Any]:
    """A job run alone, as `_told` has it."""
    from dlrun.runner import run

    try:
        return _told(words, run(config, words))
    except DlrunError as error:
        return _told(words, error)


def jobs_together(jobs: list[list[str]], config_dirs: list[Path], plugins: list[Path]) -> list[dict[str, Any]]:
    """All jobs of a sweep, those that can be trained as one together: exit codes and results, as `job` gives them."""
    from dlrun.jointly import run_together, sorted_out

    results: dict[int, dict[str, Any]] = {}
    configs: dict[int, RunConfig] = {}
    for i, words in enumerate(jobs):
        try:
            configs[i] = _config(words, config_dirs, plugins)
        except DlrunError as error:
            results[i] = _told(words, error)
    there = list(configs)
    groups = [[there[place] for place in group] for group in sorted_out(list(configs.values()))]
    log.info("%d jobs: %s", len(jobs), " + ".join(f"{len(g)} as one" if len(g) > 1 else "1 alone" for g in groups))
    for group in groups:
        for i in group:
            log.info("job%s: %s", "" if len(group) == 1 else f" {i + 1}, with others", " ".join(jobs[i]))
        if len(group) == 1:
            results[group[0]] = _done(configs[group[0]], jobs[group[0]])
            continue
        done = run_together([configs[i] for i in group], [jobs[i] for i in group])
        results |= {i: _told(jobs[i], result) for i, result in zip(group, done, strict=True)}
    return [results[i] for i in range(len(jobs))]


def _config(words: list[str], config_dirs: list[Path], plugins: list[Path]) -> RunConfig:
    """A job's words composed once more, because ours is not quite Hydra's composition (`Composer.compose`). Raises
    ConfigError."""
    for folder in plugins:
        registry.add_plugins(folder)
    composed = _composer(tuple(folder.resolve() for folder in config_dirs)).compose(words)
    config, problems = parse(composed.config, composed.choices.get("task"))
    if config is None or problems or composed.problems:
        raise ConfigError([*composed.problems, *problems])
    return config


@functools.cache
def _composer(config_dirs: tuple[Path, ...]) -> Composer:
    """One for all jobs of this process: much of what they compose is the same."""
    return Composer(list(config_dirs))


def _told(words: list[str], result: dict[str, Any] | DlrunError) -> dict[str, Any]:
    """What the table at the end has of a job; an error is shown at once."""
    from dlrun.reporting import headline

    told = {"words": words}
    if isinstance(result, DlrunError):
        console.error(result)
        first = (str(result).splitlines() or [""])[0]
        return {**told, "exit_code": result.exit_code, "signature": "-", "shown": f"failed: {first}"}
    return {**told, "exit_code": 0, "signature": result["signature"], "shown": headline(result)}
