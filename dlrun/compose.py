"""Hydra composes the YAML; this file finds every wrong word of a command.

Hydra stops at the first error. So when a composition fails the words are judged one by one, and what holds is
composed and checked further.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import hydra.version
import yaml
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from dlrun import registry, trust
from dlrun.errors import ConfigError, Problem, available, nearest
from dlrun.registry import CONFIGS


@dataclass
class Composed:
    """A composed config without Hydra's node, what was chosen in each group, and what is wrong so far."""

    config: DictConfig
    choices: dict[str, Any]
    problems: list[Problem] = field(default_factory=list)

    def to_yaml(self, package: str | None = None, resolve: bool = False) -> str:
        """The config, or its part at the dotted key `package`. Raises ConfigError for an unknown one."""
        part = OmegaConf.select(self.config, package) if package else self.config
        if part is None:
            keys = flatten(self.config)
            raise ConfigError(Problem("--package", f"no key '{package}'", f"{nearest(str(package), keys)}"))
        return OmegaConf.to_yaml(part, resolve=resolve).rstrip() if OmegaConf.is_config(part) else str(part)


class Composer:
    """Composes `config.yaml` with groups, task and overrides. config_dirs: the user's, first ones win."""

    def __init__(self, config_dirs: list[Path] | None = None):
        hydra.version.setbase("1.3")
        self.config_dirs = config_dirs or []
        for folder in self.config_dirs:
            if not folder.is_dir():
                raise ConfigError(Problem("--config-dir", f"expected a folder, received '{folder}'"))
        path = create_config_search_path(f"file://{CONFIGS}")
        for folder in reversed(self.config_dirs):
            path.prepend(provider="command-line", path=f"file://{folder.resolve()}")
        self.loader = ConfigLoaderImpl(config_search_path=path)
        self.hydra = Hydra(task_name="dlrun", config_loader=self.loader)
        self._done: dict[Any, tuple[DictConfig, dict[str, Any]]] = {}
        self._options: dict[str, list[str]] = {}
        self._groups: list[str] = []

    def options(self, group: str) -> list[str]:
        """The names that a config group offers; empty when there is no such group."""
        if group not in self._options:  # Hydra would look through all folders each time
            self._options[group] = sorted(self.loader.get_group_options(group))
        return self._options[group]

    def groups(self) -> list[str]:
        """The config groups, Hydra's own left out."""
        if not self._groups:
            self._groups = sorted(g for g in self.loader.list_groups("") if g != "hydra")
        return self._groups

    def compose(self, words: list[str], mode: RunMode = RunMode.RUN) -> Composed:
        """Compose, with every wrong word reported in `problems` and left out. Raises nothing for them."""
        problems = [p for word in words for p in trust.word_problems(word)]
        kept = [w for w in words if not trust.word_problems(w)]
        try:
            return Composed(*self._compose(kept, mode), problems)
        except ConfigError as error:
            first = error.problems
        good, found = self._diagnose(kept)
        try:
            return Composed(*self._compose(good, mode), problems + (found or first))
        except ConfigError as error:
            raise ConfigError(problems + (found or error.problems)) from None

    def _compose(self, words: list[str], mode: RunMode) -> tuple[DictConfig, dict[str, Any]]:
        config, choices = self._hydra_compose(words, mode)
        for group in self._rechosen(words, choices, mode):
            # What the task says about this group is about the component that it had chosen.
            own = [w for w in words if w.lstrip("+~").startswith((f"{group}=", f"{group}."))]
            config[group] = self._hydra_compose(own, mode)[0].get(group, {})  # [] leaves nothing of a group
        return config, choices

    def _rechosen(self, words: list[str], choices: dict[str, Any], mode: RunMode) -> list[str]:
        """Groups in which the command line chooses another component than the task does."""
        task = choices.get("task")
        named = [w.partition("=")[0] for w in words]
        groups = [g for g in self.groups() if g in named and g != "task"]
        if not task or not groups:
            return []
        of_task, chosen = self._hydra_compose([f"task={task}"], mode), self._hydra_compose(words, mode)
        return [g for g in groups if _option(g, *of_task) != _option(g, *chosen)]

    def _hydra_compose(self, words: list[str], mode: RunMode) -> tuple[DictConfig, dict[str, Any]]:
        """Composing takes a twentieth of a second, and the same choices are asked for again and again; words that only
        set values are applied to a copy, as Hydra does it."""
        try:
            overrides = OverridesParser.create().parse_overrides(words)
            values = [o for o in overrides if not o.is_hydra_override() and not self._chooses(o)]
            setting = {o.input_line for o in values}
            key = (tuple(word for word in words if word not in setting), mode)
            if key not in self._done:
                self._done[key] = self._compose_anew(list(key[0]), mode)
            config, choices = copy.deepcopy(self._done[key])
            OmegaConf.set_struct(config, True)
            ConfigLoaderImpl._apply_overrides_to_config(values, config)
        except (HydraException, OmegaConfBaseException, yaml.YAMLError, ValueError) as error:
            raise ConfigError(str(error).split("\nSee https")[0].strip()) from None
        OmegaConf.set_struct(config, False)
        return config, choices

    def _chooses(self, override: Override) -> bool:
        """Whether it is about a group, or about what Hydra itself must judge."""
        return bool(override.package or self.options(override.key_or_group) or override.key_or_group == "task")

    def _compose_anew(self, words: list[str], mode: RunMode) -> tuple[DictConfig, dict[str, Any]]:
        config = self.hydra.compose_config("config", overrides=words, run_mode=mode, validate_sweep_overrides=False)
        self._refuse_foreign_hydra_node(config, words, mode)
        choices = OmegaConf.to_container(config.hydra.runtime.choices)
        assert isinstance(choices, dict)
        config = config.copy()
        OmegaConf.set_struct(config, False)
        del config["hydra"]
        if "task" in config and choices.get("task") != config._get_node("task"):
            config["task"] = choices.get("task")
        return config, {str(k): v for k, v in choices.items()}

    def _refuse_foreign_hydra_node(self, config: DictConfig, words: list[str], mode: RunMode) -> None:
        """Compare with what our own files alone lead to."""
        if not self.config_dirs:
            return
        ours = [w for w in words if w.startswith("hydra")]
        try:
            base = Composer().hydra.compose_config("config", ours, mode, validate_sweep_overrides=False)
        except (HydraException, OmegaConfBaseException) as error:
            raise ConfigError(Problem("hydra", f"not known without --config-dir: {error}")) from None
        if problem := trust.foreign_node(config, base):
            where = ", ".join(map(str, self.config_dirs))
            raise ConfigError(replace(problem, origin=f"one of the files in {where}"))

    def _diagnose(self, words: list[str]) -> tuple[list[str], list[Problem]]:
        """Judge each word alone: the words that hold (or their nearest right form), and the problems."""
        problems: list[Problem] = []
        groups: list[str] = []
        keys: list[tuple[str, Override]] = []
        unknown: set[str] = set()  # groups whose option is unknown: keys below them can't be judged
        for word in words:
            override = _parse(word)
            if isinstance(override, Problem):
                problems.append(override)
            elif self.options(override.key_or_group):
                mended, found = self._check_group(word, override)
                problems += found
                groups += [mended] if mended else []
                unknown |= {override.key_or_group} if found and not mended else set()
            else:
                keys.append((word, override))
        base, _ = self._compose(groups, RunMode.RUN)
        flat = set(flatten(base))
        kept = list(groups)
        for word, override in keys:
            key = override.key_or_group
            if key.split(".")[0] in unknown:
                continue
            if override.is_add() or override.is_force_add() or OmegaConf.select(base, key, default=flat) is not flat:
                kept.append(word)
                continue
            parent, _, last = key.rpartition(".")
            if parent in flat and OmegaConf.select(base, parent) is None:
                hint = f"{parent} is null: set '{parent}={{{last}: …}}'"
                problems.append(Problem(key, "no such key", hint, f"command line: {word}"))
                continue
            siblings = {k for k in flat if parent and k.startswith(parent + ".")}
            hint = nearest(key, {*flat, *self.groups()})
            listed = available(siblings) if siblings else available(self.groups())
            problems.append(Problem(key, "no such key", f"{hint} {listed}".strip(), f"command line: {word}"))
        return kept, problems

    def _check_group(self, word: str, override: Override) -> tuple[str | None, list[Problem]]:
        """Is every option that the word names there? Returns the word, mended where it can be."""
        group, options = override.key_or_group, self.options(override.key_or_group)
        if override.value() is None and not override.is_delete() and group != "task":
            message = "expected a name, received null"
            return None, [Problem(group, message, available(options), f"command line: {word}")]
        wanted = _values(override)
        bad = [w for w in wanted if w not in options]
        problems = [
            Problem(
                group,
                f"no {registry.singular(group)} is called '{name}'",
                f"{nearest(name, options)} {available(options)}".strip(),
                f"command line: {word}",
            )
            for name in bad
        ]
        if not bad:
            return word, []
        mended = next((o for o in options if nearest(bad[0], options) == f"Did you mean '{o}'?"), None)
        return (f"{group}={mended}" if mended else None), problems


def _option(group: str, config: DictConfig, choices: dict[str, Any]) -> tuple[Any, Any]:
    """What tells one option of a group from another: its name, or the names in it; and the YAML where it is one of
    several of that name, as `graph_resnet18` is of `graph`."""
    section, choice = config.get(group), choices.get(group)
    name = section.get("name", sorted(section)) if isinstance(section, DictConfig) else section
    return name, choice if str(choice).startswith(f"{name}_") else None


def flatten(config: DictConfig, prefix: str = "") -> list[str]:
    """Every dotted key of a config, sections included."""
    keys = []
    for key in map(str, config):
        path = f"{prefix}{key}"
        keys.append(path)
        node = config._get_node(key)
        if isinstance(node, DictConfig) and not node._is_none():
            keys += flatten(node, f"{path}.")
    return keys


def sweep_points(words: list[str]) -> list[list[str]]:
    """Command lines that together name every value of a sweep once (not every combination)."""
    choices = [_choices(word) for word in words]
    first = [c[0] for c in choices]
    return [first] + [[*first[:i], other, *first[i + 1 :]] for i, c in enumerate(choices) for other in c[1:]]


def _choices(word: str) -> list[str]:
    override = _parse(word)
    if isinstance(override, Problem) or not override.is_sweep_override():
        return [word]
    key = override.get_key_element()
    return [f"{key}={value}" for value in override.sweep_string_iterator()]


def _parse(word: str) -> Override | Problem:
    try:
        return OverridesParser.create().parse_override(word)
    except HydraException as error:
        reason = str(error).splitlines()[0]
        return Problem(
            word, f"expected key=value, received '{word}' ({reason})", "quote values with spaces or commas",
            f"command line: {word}",
        )  # fmt: skip


def _values(override: Override) -> list[str]:
    value = override.value()
    if override.is_sweep_override():
        return [v.strip("'\"") for v in override.sweep_string_iterator()]
    if value is None or override.is_delete():
        return []
    return [str(v) for v in value] if isinstance(value, list) else [str(value)]
