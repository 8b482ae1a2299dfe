"""What the book says a task reaches, beside what this run reached."""

from __future__ import annotations

from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
EXPERIMENTS = next((d for d in (HERE / "experiments", HERE.parent / "experiments") if d.is_dir()), None)

COMPARABLE = ("seed", "runs_dir", "rerun", "trainer.device", "trainer.eval_batch_size", "trainer.plots",
              "evaluation.stack", "dataset.source", "callbacks.checkpoint.every_seconds")  # fmt: skip
"""Overrides that leave a task the experiment that the book describes."""


def claims_of(task: str) -> list[dict[str, Any]]:
    """The claims in `experiments/*/experiment.yaml` about one task."""
    import yaml

    files = sorted(EXPERIMENTS.glob("*/experiment.yaml")) if EXPERIMENTS else []
    texts = [f.read_text(encoding="utf-8") for f in files]
    found = [yaml.safe_load(text).get("claims", []) for text in texts if f"{task}\n" in text]
    return [claim for claims in found for claim in claims if claim["run"] == task]


def compare(task: str, overrides: list[str], source: str, metrics: dict[str, Any]) -> list[dict[str, Any]]:
    """`[{"claim", "expected", "measured", "verdict"}]` for `summary.json`.

    Sample data and changed tasks are never compared with the book. Claims name a value as `test.accuracy`,
    `val.accuracy` (mean over splits) or `val.loss.best_epoch`.
    """
    changed = [w for w in overrides if w.partition("=")[0].lstrip("+~") not in (*COMPARABLE, "task")]
    rows = []
    for claim in claims_of(task):
        measured = _measured(claim["metric"], metrics)
        low, high = claim["low"], claim["high"]
        if source == "sample":
            verdict = "not compared: sample data"
        elif changed:
            verdict = f"not compared: changed by {' '.join(changed)}"
        elif measured is None:
            verdict = "not measured"
        else:
            verdict = f"within {low:g} to {high:g}" if low <= measured <= high else f"outside {low:g} to {high:g}"
        rows.append({"claim": claim["claim"], "expected": claim["expected"], "measured": measured, "verdict": verdict})
    return rows


def _measured(path: str, metrics: dict[str, Any]) -> float | None:
    part, name, *field = path.split(".")
    value = metrics.get(part, {}).get(name)
    if isinstance(value, dict):
        value = value.get(field[0] if field else "mean")
    return value
