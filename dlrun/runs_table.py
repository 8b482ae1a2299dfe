"""Runs as lines of values: what each column holds, conditions on them, and their order. Imports no torch."""

from __future__ import annotations

import json
import math
import operator
import re
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import yaml

from dlrun.errors import ConfigError, Problem, nearest
from dlrun.ledger import selected_on, validation_id
from dlrun.run_folder import RunFolder

WORDS = ("run", "state", "when", "data")
TEXTS = (*WORDS, "changed")
ORDER = (*WORDS, "seed", "changed", "val.", "test.", "seconds", "selected")
SAID = ("task", "seed", "runs_dir", "rerun", "dataset.source")
"""Overrides that other columns show."""

FEWER_IS_BETTER = ("loss", "penalty", "mae", "mse")
OPERATORS = {
    "=": operator.eq, "==": operator.eq, "!=": operator.ne,
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


@dataclass(frozen=True)
class Line:
    """One run. columns: what `dlrun runs` shows by default. config: its dotted keys with their values."""

    folder: RunFolder
    columns: dict[str, Any]
    config: dict[str, Any]

    def get(self, key: str) -> Any:
        """The value of a column or a config key; None where this run has none."""
        return self.columns[key] if key in self.columns else self.config.get(key)


def lines(folders: Sequence[RunFolder]) -> list[Line]:
    """A line per run. Raises ConfigError for a config that can't be read."""
    configs = [read_config(folder) for folder in folders]
    chosen = selected_on([c for f, c in zip(folders, configs, strict=True) if "." not in f.path.name])
    return [_line(folder, config, chosen) for folder, config in zip(folders, configs, strict=True)]


def read_config(folder: RunFolder) -> dict[str, Any]:
    """A run's `config.yaml` as plain data. Raises ConfigError."""
    try:
        config = yaml.safe_load(folder.config.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"{folder.config} is no config of a run: {error}") from None
    if not isinstance(config, dict) or not {"task", "seed", "dataset"} <= set(config):
        raise ConfigError(f"{folder.config} is no config of a run: it has no task, seed and dataset")
    return config


def dotted(config: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """`{"optimizer": {"lr": 0.1}}` as `{"optimizer.lr": 0.1}`. Lists are values."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        found |= dotted(value, f"{prefix}{key}.") if isinstance(value, dict) and value else {f"{prefix}{key}": value}
    return found


def state_of(folder: RunFolder) -> str:
    """State, and how far a run under way is."""
    status = folder.read_status()
    state = str(status.get("state", "unknown"))
    if state == "running" and "epoch" in status:
        return f"running {status['stage']} {status['epoch']}/{status['epochs']}"
    return state


def changes(folder: RunFolder) -> str:
    """The overrides that made this run, less what other columns say."""
    try:
        words = yaml.safe_load(folder.overrides.read_text(encoding="utf-8")) or []
    except OSError:
        return ""
    return " ".join(w for w in words if w.partition("=")[0] not in SAID)


def _line(folder: RunFolder, config: dict[str, Any], chosen: dict[str, int]) -> Line:
    summary = folder.read_summary() or {}
    metrics = summary.get("metrics", {})
    columns = {
        "run": f"{folder.path.parent.name}/{folder.path.name}",
        "state": state_of(folder),
        "when": time.strftime("%Y-%m-%d %H:%M", time.localtime(folder.config.stat().st_mtime)),
        "data": config["dataset"]["source"],
        "seed": config["seed"],
        "changed": changes(folder),
        **{f"val.{n}": v["mean"] for n, v in metrics.get("val", {}).items()},
        **{f"test.{n}": v for n, v in metrics.get("test", {}).items()},
        "seconds": summary.get("seconds"),
        "selected": chosen.get(validation_id(config), 0) if metrics.get("val") else None,
    }
    return Line(folder, columns, dotted(config))


def columns_of(found: Sequence[Line]) -> list[str]:
    """All default columns of these runs, in their order on the screen."""
    found_in_any = dict.fromkeys(name for line in found for name in line.columns)
    return sorted(found_in_any, key=lambda name: next(i for i, start in enumerate(ORDER) if name.startswith(start)))


def unknown(path: str, keys: Iterable[str], found: Sequence[Line]) -> list[Problem]:
    """A problem for each key that is neither a column nor a config key of any of these runs."""
    columns = columns_of(found)
    known = {*columns, *(key for line in found for key in line.config)}
    hint = f"available: {', '.join(columns)}, and every config key, such as optimizer.lr"
    return [
        Problem(path, f"no column or config key '{key}'", f"{nearest(key, known)} {hint}".strip())
        for key in keys
        if found and key not in known
    ]


@dataclass(frozen=True)
class Condition:
    """`val.loss<0.3`. text: the right side as it was typed; value: what YAML makes of it."""

    key: str
    sign: str
    text: str
    value: Any

    def holds(self, line: Line) -> bool:
        """Whether a run fulfils it; one without such a value does not. Raises ConfigError for an order of
        things that have none."""
        found = line.get(self.key)
        if found is None and (self.value is not None or self.key not in line.config):
            return False
        if isinstance(found, str):
            return bool(OPERATORS[self.sign](found, self.text))
        if self.sign not in ("=", "==", "!=") and not (_number(found) and _number(self.value)):
            message = f"{self.key} is {_plain(found)} in {line.columns['run']}: '{self.sign}' needs numbers"
            raise ConfigError(Problem("where", f"{message}, received '{self.text}'", "= and != compare everything"))
        return bool(OPERATORS[self.sign](found, self.value))


def conditions(word: str) -> list[Condition]:
    """`val.loss<0.3,optimizer.name=adam`, separated by commas outside brackets. Raises ConfigError."""
    found, problems = [], []
    for part in re.split(r",(?![^\[]*\])", word):
        match = re.fullmatch(r"\s*([\w.]+)\s*(<=|>=|!=|==|=|<|>)\s*(.*?)\s*", part)
        if match:
            key, sign, text = match.groups()
            found.append(Condition(key, sign, text, _value(text)))
        else:
            message = f"expected KEY, one of = != < <= > >=, and a value; received '{part}'"
            problems.append(Problem("where", message, "such as 'where=val.loss<0.3,optimizer.name=adam'"))
    if problems:
        raise ConfigError(problems)
    return found


def ordered(found: Sequence[Line], word: str) -> list[Line]:
    """By a key: the best or the newest first, texts and config values upwards; `-KEY` the other way round.
    Runs without a value come last."""
    key = word.removeprefix("-")
    downwards = key == "when" or key.startswith(("val.", "test.")) or key == "selected"
    downwards &= not key.endswith(FEWER_IS_BETTER)
    there = [line for line in found if not _missing(line.get(key))]
    there.sort(key=lambda line: _rank(line.get(key)), reverse=downwards != word.startswith("-"))
    return there + [line for line in found if _missing(line.get(key))]


def _value(text: str) -> Any:
    with suppress(ValueError):
        return float(text)  # YAML 1.1 takes 1e-3 for a text
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def _rank(value: Any) -> tuple[int, float, str]:
    return (0, float(value), "") if _number(value) else (1, 0.0, _plain(value))


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
