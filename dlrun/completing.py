"""What may come next on a command line: the candidates that the shell's completion shows. Imports no torch."""

from __future__ import annotations

import itertools
from pathlib import Path

from dlrun import commands, completing_runs, registry

FLAGS = {
    "train": ["--cfg", "--config-dir", "--help", "--info", "--multirun", "--package", "--plugins", "--quiet",
              "--resolve"],
    "show": ["--config-dir", "--help", "--plugins", "--quiet"],
    "list": ["--config-dir", "--help", "--plugins", "--quiet"],
    "data": ["--config-dir", "--help", "--plugins", "--quiet"],
    "reproduce": ["--config-dir", "--help", "--plugins", "--quiet"],
}  # fmt: skip
FEW_FLAGS = ["--help", "--plugins", "--quiet"]
FLAG_VALUES = {
    "--cfg": ["job", "hydra", "all"],
    "--info": ["all", "config", "defaults", "defaults-tree", "plugins", "searchpath"],
}
KEYS = {
    "evaluate": ["run=", "weights=", "split=", "device=", "runs_dir="],
    "predict": ["run=", "input=", "rows=", "n=", "mistakes=", "weights=", "split=", "device=", "runs_dir="],
    "runs": ["task=", "state=", "data=", "seed=", "where=", "last=", "sort=", "columns=", "format=", "runs_dir="],
    "compare": ["metric=", "split=", "skip=", "smooth=", "all=", "output=", "runs_dir="],
    "reproduce": ["seeds=", "write=", "strict=", "runs_dir="],
}
COMMAND_VALUES = {
    "runs": {"state": ["finished", "running", "failed", "preempted", "dead", "unknown"], "data": ["real", "sample"],
             "format": ["table", "csv", "json"]},
    "compare": {"split": ["val", "train"], "all": ["true", "false"]},
    "reproduce": {"write": ["true", "false"], "strict": ["true", "false"]},
}  # fmt: skip
VALUES = {
    "weights": ["last", "best"],
    "rows": ["train", "val", "test"],
    "device": ["auto", "cpu", "cuda"],
    "trainer.device": ["auto", "cpu", "cuda"],
    "trainer.precision": ["float32", "float64"],
    "dataset.source": ["real", "sample", "auto"],
    "evaluation.stack": ["auto", "always", "never"],
    "trainer.compile": ["auto", "always", "never"],
    "hydra/launcher": ["basic", "stacked"],
}
LISTS = ("state", "data", "metric", "columns")
"""Keys of commands that take several values, with commas."""

FILES = ("input", "output", "mistakes", "preview", "runs_dir", "dataset.path", "architecture.weights")
BOOLEANS = ("rerun", "trainer.plots", "evaluation.test", "evaluation.shuffle", "evaluation.stratify")


def candidates(line: str) -> list[str]:
    """Whole words that may take the place of the last word of `line` (`dlrun …` up to the cursor).

    A quote that opens the last word is left out of them.
    """
    words = line.split()
    last = "" if line.endswith(" ") else words.pop()
    if last.startswith(("'", '"')):
        last = last[1:]
    if len(words) < 2:
        return _starting([*commands.names(), "--help", "--version"], last)
    command, before = words[1], words[-1]
    if before in ("--plugins", "--config-dir", "-cd"):
        return _paths("", last, folders=True)
    if before in FLAG_VALUES:
        return _starting(FLAG_VALUES[before], last)
    if last.startswith("-"):
        return _starting(FLAGS.get(command, FEW_FLAGS), last)
    if command == "list":
        from dlrun.commands.list import GROUPS

        return _starting(GROUPS, last)
    if command == "completion":
        return _starting(["bash", "zsh"], last)
    if command == "data":
        return _data(words[2:], last)
    if last.startswith("acknowledge="):
        value = last.removeprefix("acknowledge=[").removeprefix("acknowledge=")
        return _listed("acknowledge=", f"[{value}", registry.names("guards"))
    if "=" in last:
        key, _, value = last.partition("=")
        found = _values(command, key, value, _runs_dir(words))
        if found or command not in ("train", "show"):
            return found
    if command in ("train", "show"):
        return _hydra(words[2:], last)
    names = completing_runs.run_names(_runs_dir(words)) if command == "compare" else []
    if command == "reproduce":
        from dlrun.claims import experiments

        names = ["all", *experiments()]
    return _starting([*names, *KEYS.get(command, [])], last)


def _values(command: str, key: str, value: str, runs_dir: Path) -> list[str]:
    """Values of the keys whose values are known without composing a config."""
    if key in ("run", "init_from") or (key == "task" and command == "runs"):
        names = [name for name in completing_runs.run_names(runs_dir) if key != "task" or "/" not in name]
        return _starting([f"{key}={n}" for n in names], f"{key}={value}")
    if key in FILES:
        return _paths(f"{key}=", value, folders=key == "runs_dir")
    known = ["true", "false"] if key in BOOLEANS else VALUES.get(key, [])
    known = COMMAND_VALUES.get(command, {}).get(key, known)
    if command == "compare" and key == "metric":
        known = completing_runs.metrics(runs_dir)
    if command == "runs" and key in ("sort", "columns"):
        down = "-" if key == "sort" and value.startswith("-") else ""
        known = [f"{down}{name}" for name in completing_runs.columns(runs_dir)]
    if command in ("runs", "compare") and key in LISTS:
        return _listed(f"{key}=", value, known)
    return _starting([f"{key}={v}" for v in known], f"{key}={value}")


def _listed(head: str, value: str, known: list[str]) -> list[str]:
    """`head` and a list that is begun, `a,b` or `[a,b`, with each name for its last place that is not in it yet."""
    cut = max(value.rfind(mark) for mark in "[,") + 1
    named = value[:cut].lstrip("[").split(",")
    return [f"{head}{value[:cut]}{name}" for name in _starting(known, value[cut:]) if name not in named]


def _data(words: list[str], last: str) -> list[str]:
    """Actions, then names of datasets; for a card also the dataset's keys. words: those after `dlrun data`."""
    names = registry.names("dataset")
    if not words:
        return _starting(["list", "fetch", "check", "card"], last)
    chosen = next((w for w in words[1:] if w in names), None)
    if words[0] != "card" or not chosen:
        return _starting([n for n in names if n not in words], last)
    key, equals, value = last.partition("=")
    if equals and key.removeprefix("dataset.") in ("output", "path"):
        return _paths(f"{key}=", value, folders=False)
    if last.startswith("source="):
        return _starting([f"source={value}" for value in VALUES["dataset.source"]], last)
    keys = _hydra([f"dataset={chosen}"], f"dataset.{last}")
    return [*_starting(["output="], last), *(key.removeprefix("dataset.") for key in keys if key != "dataset.name=")]


def _paths(head: str, typed: str, folders: bool) -> list[str]:
    """Files and folders, the latter with a slash, that `typed` may become."""
    base, slash, start = typed.rpartition("/")
    place = Path(base + slash).expanduser()
    there = sorted(place.iterdir()) if place.is_dir() else []
    shown = [p for p in there if p.name.startswith(start) and (start or not p.name.startswith("."))]
    return [f"{head}{base}{slash}{p.name}{'/' * p.is_dir()}" for p in shown if p.is_dir() or not folders]


def _hydra(words: list[str], last: str) -> list[str]:
    """Groups, their options and config keys, as Hydra's own completion finds them."""
    from hydra._internal.core_plugins.bash_completion import BashCompletion

    from dlrun.compose import Composer

    flags = list(itertools.pairwise(words))
    dirs = [Path(value) for flag, value in flags if flag in ("--config-dir", "-cd")]
    dirs += [Path(value) / "configs" for flag, value in flags if flag == "--plugins"]
    composer = Composer([d for d in dirs if d.is_dir()])
    group, equals, value = last.partition("=")
    if equals and group in composer.groups():  # also the later ones of `metrics=[a,b` and of a sweep `optimizer=a,b`
        return _listed(f"{group}=", value, composer.options(group))
    rest = [w for w in words if "=" in w and not w.startswith("-")]
    found = BashCompletion(composer.loader)._query("config", " ".join([*rest, last]))
    return [f for f in found if not f.startswith("hydra")]


def _runs_dir(words: list[str]) -> Path:
    """Where runs are: the line's `runs_dir=`, else the default."""
    return Path(next((w.partition("=")[2] for w in words if w.startswith("runs_dir=")), "runs"))


def _starting(names: list[str], start: str) -> list[str]:
    return [name for name in names if name.startswith(start)]
