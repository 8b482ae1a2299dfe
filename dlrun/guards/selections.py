"""Many configurations scored on the same validation rows: the best is flattered (book 4.2.1, 4.5.7)."""

from __future__ import annotations

import functools
from pathlib import Path
from statistics import NormalDist
from typing import Any

import yaml

from dlrun.guarding import Context
from dlrun.ledger import selected_on, validation_id
from dlrun.run_folder import RunFolder, all_folders
from dlrun.types import Count


def build(*, most: Count = 20) -> Selections:
    """most: configurations, seeds apart, from which on it is said."""
    return Selections(most)


class Selections:
    """See `build`."""

    def __init__(self, most: int):
        self.most = most

    def check(self, context: Context) -> list[str]:
        """Counts what the finished runs in `runs_dir` were made of; this run's own configuration is no other."""
        held_out = len({int(row) for split in context.splits for row in split.val})
        folders = [f for f in all_folders(context.runs_dir) if "." not in f.path.name] if held_out else []
        if len(folders) < self.most:
            return []
        own = context.config.to_dict()
        others = [config for folder in folders if (config := _finished(folder))]
        count = selected_on([*others, own])[validation_id(own)] - 1
        if count < self.most:
            return []
        # Blom's approximation of the largest of n normal numbers.
        errors = NormalDist().inv_cdf((count - 0.375) / (count + 0.25))
        said = (
            f"{count} other configurations were scored on these {held_out:,} validation rows (dlrun runs, column "
            f"'selected'): the best of so many equally good ones looks up to {errors:.1f} standard errors better than "
            f"it is, by chance alone"
        )
        if all(t.problem in ("binary", "multiclass") for t in context.parts.spec.targets.values()):
            said += f"; for an accuracy near 0.9 that is {errors * (0.9 * 0.1 / held_out) ** 0.5:.2g}"
        return [f"{said} (book 4.2.1, 4.5.7). Choose by other rows, such as another seed's split, and test once"]


def _finished(folder: RunFolder) -> dict[str, Any]:
    """The config of a finished run; nothing of others."""
    return _config(folder.config, folder.config.stat().st_mtime) if folder.summary.exists() else {}


@functools.lru_cache(maxsize=4096)
def _config(path: Path, changed: float) -> dict[str, Any]:
    """Read once in a process, for a sweep has many. Nothing where it is none of ours."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the first is ten times faster
    try:
        config: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)
        validation_id(config)
        config["trainer"]["device"]
    except (OSError, ValueError, TypeError, KeyError, yaml.YAMLError):
        return {}
    return config
