"""How the configs of several runs differ: the table of `dlrun compare`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from dlrun.runs_table import dotted

BY_NAME = ("metrics", "callbacks", "guards", "baselines")
"""Groups that hold any number of components, each under its own name."""


def differences(configs: Sequence[dict[str, Any]]) -> list[list[str]]:
    """One line per dotted key that has not the same value in all configs: the key, then the values, `-` where
    there is none. Of a group of named components one line has the names, where they differ; what is below a name
    is told only where all have it. What the task is called and where its runs go is left out."""
    named = {group: [_names(config, group) for config in configs] for group in BY_NAME}
    flat = [{**dotted(c), **{group: _listed(named[group][i]) for group in BY_NAME}} for i, c in enumerate(configs)]
    sections = list(dict.fromkeys(section for config in configs for section in (*config, *BY_NAME)))
    keys = list(dict.fromkeys(key for config in flat for key in config))
    keys.sort(key=lambda key: sections.index(key.partition(".")[0]))
    found = []
    for key in keys:
        group, _, below = key.partition(".")
        if below and group in BY_NAME and not all(below.partition(".")[0] in (n or ()) for n in named[group]):
            continue
        values = [_written(config[key]) if key in config else "-" for config in flat]
        if key not in ("task", "runs_dir", "rerun") and len(set(values)) > 1:
            found.append([key, *values])
    return found


def _names(config: dict[str, Any], group: str) -> list[str] | None:
    """Sorted, for their order is no difference; None where a config has no such group."""
    return sorted(config[group] or {}) if group in config else None


def _listed(names: list[str] | None) -> str:
    return "-" if names is None else ", ".join(names) or "none"


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
