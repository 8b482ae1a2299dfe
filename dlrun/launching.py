"""`hydra/launcher=stacked`: the jobs of a sweep that differ in numbers only are trained as one."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus, filter_overrides
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class StackedLauncher(Launcher):
    """Hands all jobs to `sweeping.jobs_together` instead of calling the task function for each.

    The task function is `sweeping.job` with its arguments; what it returns for a job is what a job returns here.
    """

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Hydra's first call."""
        self.function, self.config = task_function, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Hydra's second: run all jobs."""
        from dlrun.sweeping import jobs_together

        Path(str(self.config.hydra.sweep.dir)).mkdir(parents=True, exist_ok=True)
        words = [filter_overrides(overrides) for overrides in job_overrides]
        arguments: dict[str, Any] = self.function.keywords  # type: ignore[attr-defined]
        results = jobs_together([list(said) for said in words], **arguments)
        return [
            JobReturn(overrides=said, status=JobStatus.COMPLETED, _return_value=result)
            for said, result in zip(words, results, strict=True)
        ]


PACKAGE = "hydra_plugins"
"""Hydra takes plugins from a package of this name only. One in every environment would be a second thing to install."""


def register() -> None:
    """Make `configs/hydra/launcher/stacked.yaml` mean this class."""
    try:
        parent = importlib.import_module(PACKAGE)
    except ImportError:
        parent = sys.modules[PACKAGE] = ModuleType(PACKAGE)
    module = ModuleType(f"{PACKAGE}.dlrun")
    module.StackedLauncher = StackedLauncher  # type: ignore[attr-defined]
    parent.dlrun = module  # type: ignore[attr-defined]
    sys.modules[module.__name__] = module
    StackedLauncher.__module__ = module.__name__
    Plugins.instance().register(StackedLauncher)
