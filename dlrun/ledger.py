"""Who opened a test set, and how many configurations one validation set has judged (book 4.2.1, 4.5.7)."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import Any

from dlrun.config import RunConfig
from dlrun.files import append_text
from dlrun.run_folder import RunFolder

SAME = ("seed", "runs_dir", "rerun", "task", "acknowledge", "guards", "baselines")
"""Keys that make no other model to choose from."""


def path(runs_dir: Path) -> Path:
    """One JSON object a line: each opening of a test set by the runs of a folder."""
    return runs_dir / "test_ledger.jsonl"


def note(runs_dir: Path, folder: RunFolder, config: RunConfig, by: str = "train") -> None:
    """Record an opening, before it happens. A resumed run's second try at the same one is not another."""
    entry = {
        "task": config.task, "signature": folder.path.name, "dataset": config.dataset.name,
        "source": config.dataset.args["source"], "by": by,
    }  # fmt: skip
    if by == "train" and any({k: e.get(k) for k in entry} == entry for e in read(runs_dir)):
        return
    append_text(path(runs_dir), json.dumps({**entry, "time": time.strftime("%Y-%m-%dT%H:%M:%S")}) + "\n")


def read(runs_dir: Path) -> list[dict[str, Any]]:
    """All openings, oldest first."""
    if not path(runs_dir).exists():
        return []
    return [json.loads(line) for line in path(runs_dir).read_text(encoding="utf-8").splitlines()]


def validation_id(config: dict[str, Any]) -> str:
    """What the runs that were validated on the same rows have in common.

    config: a run's `config.yaml`. The rows depend on the dataset, the split rule and, where it shuffles,
    the seed.
    """
    no_rows = ("stack", "stack_size", "refit", "test", "n_repeats")
    evaluation = {k: v for k, v in config["evaluation"].items() if k not in no_rows}
    shuffles = evaluation.get("order") == "shuffled" or evaluation.get("shuffle") or "iterated" in evaluation["name"]
    seed = config["seed"] if shuffles else None
    text = json.dumps([config["dataset"], evaluation, seed], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def selected_on(configs: list[dict[str, Any]]) -> dict[str, int]:
    """How many different configurations, seeds apart, were scored on each validation set."""
    seen: dict[str, set[str]] = {}
    for config in configs:
        rest = {k: v for k, v in config.items() if k not in SAME}
        rest["trainer"] = {
            k: v for k, v in rest["trainer"].items() if k not in ("device", "plots", "plot_smoothing", "compile")
        }
        seen.setdefault(validation_id(config), set()).add(json.dumps(rest, sort_keys=True))
    return {key: len(texts) for key, texts in seen.items()}
