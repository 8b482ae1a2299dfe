"""The composed YAML as frozen dataclasses; every problem at once; the signature that names a run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import ConfigDict, ValidationError, create_model

from dlrun import registry
from dlrun.errors import ConfigError, Problem, available, nearest
from dlrun.types import Count

NEUTRAL = ("runs_dir", "rerun", "trainer.device", "trainer.eval_batch_size", "trainer.plots",
           "callbacks.checkpoint.every_seconds", "evaluation.stack")  # fmt: skip
"""Keys that change no result and so are no part of a run's signature."""


@dataclass(frozen=True)
class Section:
    """A named component and the arguments of its `build`."""

    name: str
    args: dict[str, Any]


@dataclass(frozen=True)
class TrainerConfig:
    """How long, in which portions, and on what: the keys of `configs/trainer/`."""

    epochs: Count = 10
    batch_size: Count = 128
    eval_batch_size: Count = 1024
    steps_per_epoch: Count | None = None
    device: str = "auto"
    precision: Literal["float32", "float64"] = "float32"
    plots: bool = True


@dataclass(frozen=True)
class RunConfig:
    """Everything a run is made of. Two equal ones have the same signature and so the same folder."""

    task: str
    seed: int
    runs_dir: str
    rerun: bool
    init_from: str | None
    dataset: Section
    architecture: Section
    loss: Section
    metrics: dict[str, dict[str, Any]]
    optimizer: Section
    step: Section
    evaluation: Section
    callbacks: dict[str, dict[str, Any]]
    trainer: TrainerConfig

    def to_dict(self) -> dict[str, Any]:
        """As the YAML has it: sections flat, with their `name` first."""
        plain = asdict(self)
        for name in SECTIONS:
            plain[name] = {"name": plain[name]["name"], **plain[name]["args"]}
        return plain

    def with_source(self, source: str) -> RunConfig:
        """The same config with `dataset.source` decided: real and sample runs have different signatures."""
        args = {**self.dataset.args, "source": source}
        return replace(self, dataset=Section(self.dataset.name, args))

    def signature(self, **more: str) -> str:
        """Eight hex digits over all that changes the result. more: facts from outside the config."""
        plain = {**self.to_dict(), **more}
        for path in NEUTRAL:
            *parents, last = path.split(".")
            node = plain
            for parent in parents:
                node = node.get(parent, {})
            node.pop(last, None)
        text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:8]


SECTIONS = ("dataset", "architecture", "loss", "optimizer", "step", "evaluation")
SCALARS = {"seed": int, "runs_dir": str, "rerun": bool, "init_from": str | None}


def parse(config: DictConfig | Mapping[str, Any], task: str | None = None) -> tuple[RunConfig | None, list[Problem]]:
    """Names, types and arguments of every section against the components' signatures.

    task: the recipe's name; without one the run is called after dataset and architecture.
    Returns the RunConfig, or None when the problems leave nothing to build.
    """
    try:
        plain = OmegaConf.to_container(config, resolve=True) if isinstance(config, DictConfig) else dict(config)
    except OmegaConfBaseException as error:
        return None, [Problem(getattr(error, "full_key", "") or "", str(error).splitlines()[0])]
    assert isinstance(plain, dict)
    problems: list[Problem] = []
    known = {f.name for f in fields(RunConfig)}
    for key in plain:
        if key not in known:
            problems.append(Problem(str(key), "no such key", f"{nearest(str(key), known)} {available(known)}".strip()))
    parsed: dict[str, Any] = {}
    for key in SECTIONS:
        parsed[key] = _section(key, plain.get(key), problems)
    for key in ("metrics", "callbacks"):
        parsed[key] = _mapping(key, plain.get(key), problems)
    scalars = {k: (t, ...) for k, t in SCALARS.items()}
    given = {k: plain[k] for k in SCALARS if k in plain}
    parsed |= _checked("", scalars, given, problems)
    trainer = {f.name: (t, f.default) for f in fields(TrainerConfig) for t in [_type_of(f.name)]}
    checked = _checked("trainer", trainer, plain.get("trainer") or {}, problems)
    if problems:
        return None, problems
    name = task or f"{parsed['dataset'].name}_{parsed['architecture'].name}"
    return RunConfig(task=name, trainer=TrainerConfig(**checked), **parsed), []


def build_arguments(group: str, name: str, args: Mapping[str, Any], path: str) -> list[Problem]:
    """Bind a component's arguments to its `build` signature: unknown, missing and wrongly typed ones."""
    try:
        build: Callable[..., Any] = registry.load(group, name)
    except ConfigError as error:
        return error.problems
    problems: list[Problem] = []
    _checked(path, registry.arguments(build), args, problems)
    return problems


def _type_of(field: str) -> Any:
    from typing import get_type_hints

    return get_type_hints(TrainerConfig, include_extras=True)[field]


def _section(key: str, node: Any, problems: list[Problem]) -> Section | None:
    if not isinstance(node, dict) or not isinstance(node.get("name"), str):
        offered = available(registry.names(key))
        problems.append(Problem(key, f"expected a section with a name, received {node!r}", offered))
        return None
    args = {str(k): v for k, v in node.items() if k != "name"}
    problems += build_arguments(key, node["name"], args, key)
    return Section(node["name"], args)


def _mapping(key: str, node: Any, problems: list[Problem]) -> dict[str, dict[str, Any]]:
    if not isinstance(node or {}, dict):
        problems.append(Problem(key, f"expected names with their arguments, received {node!r}"))
        return {}
    sections = {str(name): dict(args or {}) for name, args in (node or {}).items()}
    for name, args in sections.items():
        problems += build_arguments(key, name, args, f"{key}.{name}")
    return sections


def _checked(path: str, types: Mapping[str, tuple[Any, Any]], given: Any, problems: list[Problem]) -> dict[str, Any]:
    """Values of `given` that fit `types`; what does not fit is added to `problems`."""
    model = create_model("Arguments", __config__=ConfigDict(extra="forbid", strict=True), **dict(types))
    try:
        return {k: getattr(model.model_validate(given), k) for k in types}
    except ValidationError as error:
        for found in error.errors():
            problems.append(_problem(path, types, found))
        return {}


def _problem(path: str, types: Mapping[str, tuple[Any, Any]], found: Any) -> Problem:
    where = [str(part) for part in found["loc"] if not _is_branch(str(part))]
    key = ".".join([path, *where]).strip(".")
    if found["type"] == "extra_forbidden":
        hint = f"{nearest(where[-1], types)} {available(types)}".strip()
        return Problem(key, "no such argument", hint)
    if found["type"] == "missing":
        return Problem(key, "missing: this argument has no default", f"set {key}=…")
    received = found["input"]
    expected = found["msg"].replace("Input should be", "expected").replace("a valid", "a")
    return Problem(key, f"{expected}, received {received!r} ({type(received).__name__})")


def _is_branch(part: str) -> bool:
    """pydantic names the branch of a union in an error's location, such as `list[constrained-int]`."""
    return any(mark in part for mark in ("[", "constrained-", "literal")) or part in {"int", "float", "str", "bool"}
