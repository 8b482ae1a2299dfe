"""Where a wrong key stands: the word of the command line, or the line of the YAML file that set it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import yaml

from dlrun.compose import CONFIGS, Composed, Composer
from dlrun.errors import Problem


def with_origins(problems: list[Problem], composer: Composer, composed: Composed, words: list[str]) -> list[Problem]:
    """The problems with their `origin` filled in where it can be found."""
    return [p if p.origin else replace(p, origin=_origin(p.path, composer, composed, words)) for p in problems]


def _origin(path: str, composer: Composer, composed: Composed, words: list[str]) -> str:
    by_key = {word.lstrip("+~").partition("=")[0]: word for word in words}
    about = [k for k in by_key if path == k or path.startswith(f"{k}.") or (path and k.startswith(f"{path}."))]
    if about:
        return f"command line: {by_key[max(about, key=len)]}"
    parts = path.split(".")
    task = composed.choices.get("task")
    group = parts[0]
    looked = [(f"task/{task}.yaml", parts)] if task else []
    chosen = composed.choices.get(group)
    looked += [(f"{group}/{chosen}.yaml", parts[1:])] if isinstance(chosen, str) else []
    looked += [(f"{group}/{name}.yaml", parts[1:]) for name in parts[1:2]]  # metrics, callbacks
    looked += [("config.yaml", parts)]
    for file, keys in looked:
        for folder in (*composer.config_dirs, CONFIGS):
            line = _line(folder / file, keys)
            if line:
                return f"{folder / file}:{line}"
    return ""


def _line(file: Path, keys: list[str]) -> int | None:
    """The line (from 1) of a dotted key in a YAML file, or None."""
    if not file.exists() or not keys:
        return None
    node: yaml.Node | None = yaml.compose(file.read_text(encoding="utf-8"))
    line = None
    for key in keys:
        if not isinstance(node, yaml.MappingNode):
            return line
        found = next(((k, v) for k, v in node.value if k.value == key), None)
        if found is None:
            return None
        line, node = found[0].start_mark.line + 1, found[1]
    return line
