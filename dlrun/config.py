"""The composed YAML as frozen dataclasses; every problem at once; the signature that names a run."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, get_type_hints

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import ConfigDict, ValidationError, create_model

from dlrun import registry
from dlrun.errors import ConfigError, Problem, available, nearest
from dlrun.types import Count

NEUTRAL = ("runs_dir", "rerun", "trainer.device", "trainer.eval_batch_size", "trainer.plots",
           "callbacks.checkpoint.every_seconds", "evaluation.stack", "evaluation.stack_size", "trainer.compile",
           "acknowledge", "guards")  # fmt: skip
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
    compile: Literal["auto", "always", "never"] = "auto"
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
    schedule: Section
    step: Section
    evaluation: Section
    callbacks: dict[str, dict[str, Any]]
    baselines: dict[str, dict[str, Any]]
    guards: dict[str, dict[str, Any]]
    trainer: TrainerConfig
    acknowledge: list[str]

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
        text = json.dumps(_one_form(plain), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:8]


def _one_form(node: Any) -> Any:
    """0 and 0.0 are one value: a file and a command line may write either."""
    if isinstance(node, dict):
        return {key: _one_form(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_one_form(value) for value in node]
    return int(node) if isinstance(node, float) and node.is_integer() else node


SECTIONS = ("dataset", "architecture", "loss", "optimizer", "schedule", "step", "evaluation")
MAPPINGS = ("metrics", "callbacks", "baselines", "guards")
SCALARS = {"seed": int, "runs_dir": str, "rerun": bool, "init_from": str | None, "acknowledge": list[str]}
SCALARS_IF_WRONG = {"seed": 0, "runs_dir": "runs", "rerun": False, "init_from": None, "acknowledge": []}


def parse(config: DictConfig | Mapping[str, Any], task: str | None = None) -> tuple[RunConfig | None, list[Problem]]:
    """Names, types and arguments of every section against the components' signatures.

    task: the recipe's name; without one the run is called after dataset and architecture. Returns the
    RunConfig and what is wrong with it. Where there are problems it is only good for further checks: wrong
    arguments are left out of it, and a section that can't be built is None; without any section so is it.
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
    parsed: dict[str, Any] = {key: _section(key, plain.get(key), problems) for key in SECTIONS}
    parsed |= {key: _mapping(key, plain.get(key), problems) for key in MAPPINGS}
    given = {k: plain[k] for k in SCALARS if k in plain}
    parsed |= SCALARS_IF_WRONG | _checked("", {k: (t, ...) for k, t in SCALARS.items()}, given, problems)
    problems += _unknown_guards(parsed["acknowledge"])
    hints = get_type_hints(TrainerConfig, include_extras=True)
    types = {f.name: (hints[f.name], f.default) for f in fields(TrainerConfig)}
    trainer = TrainerConfig(**_checked("trainer", types, plain.get("trainer") or {}, problems))
    if not any(parsed[key] for key in SECTIONS):
        return None, problems
    name = task or "_".join(parsed[key].name for key in ("dataset", "architecture") if parsed[key])
    return RunConfig(task=name, trainer=trainer, **parsed), problems


def _unknown_guards(named: list[str]) -> list[Problem]:
    known = registry.names("guards")
    return [
        Problem("acknowledge", f"no guard is called '{name}'", f"{nearest(name, known)} {available(known)}".strip())
        for name in named
        if name not in known
    ]


def _section(key: str, node: Any, problems: list[Problem]) -> Section | None:
    if not isinstance(node, dict) or not isinstance(node.get("name"), str):
        offered = available(registry.names(key))
        problems.append(Problem(key, f"expected a section with a name, received {node!r}", offered))
        return None
    args = {str(k): v for k, v in node.items() if k != "name"}
    fitting = _bound(key, node["name"], args, key, problems)
    return None if fitting is None else Section(node["name"], fitting)


def _mapping(key: str, node: Any, problems: list[Problem]) -> dict[str, dict[str, Any]]:
    if not isinstance(node or {}, dict) or not all(isinstance(a or {}, dict) for a in (node or {}).values()):
        problems.append(Problem(key, f"expected names with their arguments, received {node!r}"))
        return {}
    bound = {
        str(name): _bound(key, str(name), args or {}, f"{key}.{name}", problems) for name, args in (node or {}).items()
    }
    return {name: args for name, args in bound.items() if args is not None}


def _bound(group: str, name: str, args: Mapping[str, Any], path: str, problems: list[Problem]) -> dict[str, Any] | None:
    """The arguments that fit a component's `build`; None when it is unknown or one that it needs is wrong."""
    try:
        types = registry.arguments(registry.load(group, name))
    except ConfigError as error:
        problems += error.problems
        return None
    fitting = _checked(path, types, args, problems)
    needed = [k for k, (_, default) in types.items() if default is ...]
    return {k: v for k, v in fitting.items() if k in args} if all(k in fitting for k in needed) else None


def _checked(path: str, types: Mapping[str, tuple[Any, Any]], given: Any, problems: list[Problem]) -> dict[str, Any]:
    """The values of `given` that fit `types`; what does not fit is added to `problems`, once per key."""
    if not isinstance(given, dict):
        problems.append(Problem(path, f"expected keys with values, received {given!r}"))
        return {}
    fields_: dict[str, Any] = dict(types)
    model = create_model("Arguments", __config__=ConfigDict(extra="forbid", strict=True), **fields_)
    try:
        model.model_validate(given)
    except ValidationError as error:
        by_key: dict[str, list[Problem]] = {}
        wrong = set()
        for found in error.errors():
            problem = _problem(path, types, found)
            by_key.setdefault(problem.path, []).append(problem)
            wrong.add(str(found["loc"][0]))
        problems += [_merged(same) for same in by_key.values()]
        return {k: v for k, v in given.items() if k not in wrong}
    return dict(given)


def _problem(path: str, types: Mapping[str, tuple[Any, Any]], found: Any) -> Problem:
    where = [str(part) for part in found["loc"] if not _is_branch(str(part))]
    key = ".".join([path, *where]).strip(".")
    if found["type"] == "extra_forbidden":
        hint = f"{nearest(where[-1], types)} {available(types)}".strip()
        return Problem(key, "no such argument", hint)
    if found["type"] == "missing":
        return Problem(key, "missing: this argument has no default", f"set {key}=…")
    received = found["input"]
    return Problem(key, f"{_expected(found)}, received {received!r} ({type(received).__name__})")


def _expected(found: Any) -> str:
    """pydantic's sentence in the words of all our errors."""
    said = re.sub(r"^Input should be (a valid )?", "", found["msg"]).partition(", unable")[0]
    article = "" if " " in said or said.startswith("'") else ("an " if said[0] in "aeiou" else "a ")
    return f"expected {article}{said}"


def _merged(same: list[Problem]) -> Problem:
    """The alternatives of a union, which pydantic reports one by one, as one problem."""
    if len(same) == 1:
        return same[0]
    expected = [p.message.partition(", received")[0].removeprefix("expected ") for p in same]
    received = same[0].message.partition(", received")[2]
    return replace(same[0], message=f"expected {' or '.join(dict.fromkeys(expected))}, received{received}")


def _is_branch(part: str) -> bool:
    """pydantic names the branch of a union in an error's location, such as `list[constrained-int]`."""
    return any(mark in part for mark in ("[", "constrained-", "literal")) or part in {
        "int",
        "float",
        "str",
        "bool",
    }
