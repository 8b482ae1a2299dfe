"""Several runs beside each other: their curves, best values, and onset of overfitting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dlrun import registry
from dlrun.errors import ConfigError, DataError, DlrunError, Problem
from dlrun.finding import find_run
from dlrun.plots import HEAD, smooth
from dlrun.run_folder import RunFolder, all_folders
from dlrun.runs_table import read_config, state_of
from dlrun.summary import RISE, mean_curve


@dataclass(frozen=True)
class Curve:
    """One value against epochs. epochs: counted from 1. mean, std: over `splits` models, [E] each; std has n - 1
    in the denominator, 0 for one model."""

    epochs: np.ndarray
    mean: np.ndarray
    std: np.ndarray
    splits: int

    def without(self, skip: int) -> Curve:
        """The same curve from epoch `skip` + 1 on."""
        return Curve(self.epochs[skip:], self.mean[skip:], self.std[skip:], self.splits)

    def smoothed(self, factor: float) -> Curve:
        """Mean and std as exponential moving averages (listing 3-31)."""
        return Curve(self.epochs, smooth(self.mean, factor), smooth(self.std, factor), self.splits)

    def best(self, upwards: bool) -> tuple[int, float] | None:
        """The first epoch with the best mean, and that; None where there is no number."""
        if np.isnan(self.mean).all():
            return None
        at = int(np.nanargmax(self.mean) if upwards else np.nanargmin(self.mean))
        return int(self.epochs[at]), float(self.mean[at])


@dataclass(frozen=True)
class Compared:
    """A run as far as it got. rows: of its history, those of the stage `fit`. label: the shortest name that
    tells it from the others."""

    folder: RunFolder
    config: dict[str, Any]
    rows: list[dict[str, Any]]
    summary: dict[str, Any]
    label: str

    @property
    def name(self) -> str:
        """`task/signature`."""
        return f"{self.folder.path.parent.name}/{self.folder.path.name}"

    @property
    def sample(self) -> bool:
        """Whether it saw sample data."""
        return bool(self.config["dataset"]["source"] == "sample")

    @property
    def marked(self) -> str:
        """The label, and SAMPLE where that is so."""
        return f"{self.label} (SAMPLE)" if self.sample else self.label

    @property
    def state(self) -> str:
        """`finished`, `running fit 3/20`, …"""
        return state_of(self.folder)

    def metrics(self, part: str) -> list[str]:
        """What was logged of `train` or `val`."""
        first = next((row for row in self.rows if row["split"] == part), {})
        return [name for name in first if name not in HEAD]

    def curve(self, part: str, metric: str) -> Curve | None:
        """Mean over the splits, as long as all of them trained; None where it was not logged. In a run that has
        not finished, a split that is behind the others is under way and left out."""
        curves: dict[tuple[int, int], dict[int, float]] = {}
        for row in self.rows:
            if row["split"] == part and metric in row:
                curves.setdefault((row["repeat"], row["fold"]), {})[row["epoch"]] = row[metric]
        if not curves:
            return None
        *others, last = curves.values()
        done = bool(self.summary) or not others or len(last) >= min(map(len, others))
        kept = [*others, last] if done else others
        mean = mean_curve(kept)
        spread = [np.std([c[e] for c in kept], ddof=1) if len(kept) > 1 else 0.0 for e in mean]
        return Curve(np.array(list(mean)), np.array(list(mean.values())), np.array(spread), len(kept))


def read(words: Sequence[str], runs_dir: Path, every: bool) -> list[Compared]:
    """The runs that words name, in this order, each once. every: a task's name stands for all of its finished
    runs, the oldest first. Raises ConfigError when there are fewer than two, DataError for a broken history."""
    folders: dict[Path, RunFolder] = {}
    problems: list[Problem] = []
    finished = [f for f in all_folders(runs_dir) if "." not in f.path.name and f.read_summary()] if every else []
    for word in words:
        of_task = [f for f in finished if f.path.parent.name == word]
        try:
            found = of_task[::-1] or [find_run(word, runs_dir)]
        except ConfigError as error:
            problems += error.problems
            continue
        folders |= {f.path.resolve(): f for f in found}
    if problems:
        raise ConfigError(problems)
    if len(folders) < 2:
        there = ", ".join(str(f.path) for f in folders.values()) or "none"
        hint = "dlrun compare RUN RUN; all=true takes every finished run of a task; dlrun runs shows them"
        raise ConfigError(Problem("", f"expected two runs or more, received {there}", hint))
    configs = [read_config(f) for f in folders.values()]
    labels = _labels(list(folders.values()), configs)
    return [
        Compared(f, config, _history(f), f.read_summary() or {}, label)
        for f, config, label in zip(folders.values(), configs, labels, strict=True)
    ]


def onset(curve: Curve) -> int | None:
    """The epoch after which a validation loss rises for good: that of its lowest value, where it ends more than
    2 % above it; None where it does not."""
    lowest = curve.best(upwards=False)
    return lowest[0] if lowest and curve.mean[-1] > RISE * lowest[1] > 0 else None


def upwards(config: dict[str, Any], metric: str) -> bool | None:
    """Whether more is better, as the metric itself says; None where it can't be built, for its dataset or a
    plugin is not here. What is no metric is a loss."""
    dataset = dict(config["dataset"])
    from dlrun.assembly import reported

    chosen = {metric: config["metrics"][metric]} if metric in config["metrics"] else config["metrics"]
    try:
        spec = registry.load("dataset", dataset.pop("name"))(**dataset).spec
        for name, args in chosen.items():
            built = reported({name: registry.load("metrics", name)(spec, **(args or {}))})
            if metric in built:
                return bool(built[metric].higher_is_better)
    except (DlrunError, TypeError):
        return None
    return False


def _history(folder: RunFolder) -> list[dict[str, Any]]:
    try:
        return [row for row in folder.read_rows() if row["stage"] == "fit"]
    except (ValueError, KeyError, OSError) as error:
        raise DataError(f"{folder.metrics} is no history of a run: {error}") from None


def _labels(folders: list[RunFolder], configs: list[dict[str, Any]]) -> list[str]:
    """The task, else task and seed, else task/signature, else the path: the first that differs for all."""
    ways: list[Callable[[RunFolder, dict[str, Any]], str]] = [
        lambda _, config: str(config["task"]),
        lambda _, config: f"{config['task']} seed {config['seed']}",
        lambda folder, _: f"{folder.path.parent.name}/{folder.path.name}",
        lambda folder, _: str(folder.path),
    ]
    named = [[way(f, c) for f, c in zip(folders, configs, strict=True)] for way in ways]
    return next((labels for labels in named if len(set(labels)) == len(labels)), named[-1])
