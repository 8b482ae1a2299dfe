"""What the book says a task reaches, beside what this run reached."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dlrun.errors import ConfigError, Problem, available, nearest

HERE = Path(__file__).parent
EXPERIMENTS = next((d for d in (HERE / "experiments", HERE.parent / "experiments") if d.is_dir()), None)

COMPARABLE = ("seed", "runs_dir", "rerun", "acknowledge", "trainer.device", "trainer.eval_batch_size", "trainer.plots",
              "trainer.plot_smoothing", "trainer.compile", "evaluation.stack", "evaluation.stack_size",
              "dataset.source", "callbacks.checkpoint.every_seconds")  # fmt: skip
"""Overrides that leave a task the experiment that the book describes."""


class Claim(BaseModel):
    """One sentence of the book about one value, and the bounds within which it holds for ours.

    run: a task; none for a value of the experiment's demo. metric: see `value_of`. expected: the book's figure,
    where it gives one. Without bounds the value is only shown. minus, minus_metric: another task, another value
    (either alone leaves the other as it is), subtracted seed by seed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    claim: str
    metric: str
    run: str | None = None
    expected: float | None = None
    low: float = -math.inf
    high: float = math.inf
    minus: str | None = None
    minus_metric: str | None = None

    @property
    def bounded(self) -> bool:
        """Whether there is anything to hold or not."""
        return self.low > -math.inf or self.high < math.inf

    def verdict(self, measured: float | None) -> str:
        """`within 2 to 5`, `outside 1 or more`, `not measured`, or `-` for a claim without bounds."""
        if measured is None or math.isnan(measured):
            return "not measured"
        if not self.bounded:
            return "-"
        return f"{'within' if self.low <= measured <= self.high else 'outside'} {self._bounds()}"

    def _bounds(self) -> str:
        if self.low == -math.inf:
            return f"{self.high:.9g} or less"
        if self.high == math.inf:
            return f"{self.low:.9g} or more"
        return f"{self.low:.9g}" if self.low == self.high else f"{self.low:.9g} to {self.high:.9g}"


class Experiment(BaseModel):
    """A question of the book: the runs that answer it, over which seeds, and what they should come to. demo: a
    file of `demos/` that belongs to it."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    question: str
    runs: list[str] = []
    seeds: list[int] = Field(default=[0, 1, 2], min_length=1)
    demo: str | None = None
    claims: list[Claim] = []


def demos() -> list[str]:
    """The names of the demos: the files of `demos/`."""
    return sorted(f.stem for f in (HERE / "demos").glob("*.py") if not f.stem.startswith("_"))


def experiments() -> dict[str, Path]:
    """The folders of `experiments/` that hold a question, by name."""
    files = sorted(EXPERIMENTS.glob("*/experiment.yaml")) if EXPERIMENTS else []
    return {f.parent.name: f.parent for f in files}


def read(folder: Path) -> Experiment:
    """An experiment's YAML. Raises ConfigError with everything wrong in it."""
    file = folder / "experiment.yaml"
    try:
        found = _parsed(file.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ConfigError(Problem("", " ".join(str(error).split()), origin=str(file))) from None
    except ValidationError as error:
        raise ConfigError(
            Problem(".".join(map(str, wrong["loc"])), f"{wrong['msg']}, received {wrong['input']!r}", origin=str(file))
            for wrong in error.errors()
        ) from None
    if found.demo and found.demo not in demos():
        hint = f"{nearest(found.demo, demos())} {available(demos())}".strip()
        raise ConfigError(Problem("demo", f"no demo is called '{found.demo}'", hint, str(file)))
    return found


@cache
def _parsed(text: str) -> Experiment:
    """Kept, because each job of a sweep is compared with the same claims."""
    return Experiment.model_validate(yaml.safe_load(text))


def compare(task: str, overrides: list[str], source: str, metrics: dict[str, Any]) -> list[dict[str, Any]]:
    """`[{"claim", "expected", "measured", "verdict"}]` for `summary.json`.

    Sample data and changed tasks are never compared with the book. Claims about differences, and about values
    that are no part of `metrics`, are left to `dlrun reproduce`.
    """
    reason = why_not(overrides, source)
    rows = []
    for folder in experiments().values():
        if f"{task}\n" not in (folder / "experiment.yaml").read_text(encoding="utf-8"):
            continue
        for claim in read(folder).claims:
            if claim.run != task or not claim.bounded or not _of_one_run(claim):
                continue
            measured = value_of(claim.metric, {"metrics": metrics}, [])
            verdict = f"not compared: {reason}" if reason else claim.verdict(measured)
            rows.append({"claim": claim.claim, "expected": claim.expected, "measured": measured, "verdict": verdict})
    return rows


def why_not(overrides: list[str], source: str) -> str:
    """Why a run is not the experiment that the book describes; nothing when it is."""
    if source == "sample":
        return "sample data"
    changed = [w for w in overrides if w.partition("=")[0].lstrip("+~") not in (*COMPARABLE, "task")]
    return f"changed by {' '.join(changed)}" if changed else ""


def _of_one_run(claim: Claim) -> bool:
    part, *_, last = claim.metric.split(".")
    return part in ("val", "test") and not last.startswith("epoch_") and not (claim.minus or claim.minus_metric)


def value_of(path: str, summary: dict[str, Any], rows: list[dict[str, Any]]) -> float | None:
    """The value that a claim names, from a run's summary and the rows of its history; None where there is none.

    `test.accuracy`; `val.loss` (at the end of training, mean over splits) and its `.best`, `.best_epoch`, `.std`
    (over splits); `val.loss.epoch_6`, `train.loss`, `train.loss.epoch_6`; `baseline.accuracy` (what the result is
    held against), `baseline.accuracy.permutation` (that of a kind); `parameters.total`; `rows.train`, `rows.val` (of
    the first split) and `rows.test`.
    """
    part, name, *field = path.split(".")
    if part == "train" or (field and field[0].startswith("epoch_")):
        return _of_epoch(part, name, field[0] if field else "", rows)
    if part in ("parameters", "rows"):
        return summary.get(part, {}).get(name)
    if part == "baseline":
        found = summary.get(part, {}).get(name) or {}
        return found.get("all", {}).get(field[0], {}).get("mean") if field else found.get("value")
    value = summary["metrics"].get(part, {}).get(name)
    if isinstance(value, dict):
        value = value.get(field[0] if field else "mean")
    return value


def _of_epoch(part: str, name: str, which: str, rows: list[dict[str, Any]]) -> float | None:
    """Mean over the splits of a value in one epoch, `epoch_N`, or in each split's last."""
    curves: dict[tuple[int, int], dict[int, float]] = {}
    for row in rows:
        if row["stage"] == "fit" and row["split"] == part and name in row:
            curves.setdefault((row["repeat"], row["fold"]), {})[row["epoch"]] = row[name]
    epoch = int(which.removeprefix("epoch_")) if which else None
    values = [curve.get(epoch or max(curve)) for curve in curves.values()]
    if not values or any(v is None for v in values):
        return None
    return float(np.mean([v for v in values if v is not None]))
