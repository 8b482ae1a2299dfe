"""The composed YAML as frozen dataclasses; every problem at once; the signature that names a run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, get_type_hints

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from dlrun import registry
from dlrun.arguments import bound, checked
from dlrun.errors import Problem, available, nearest
from dlrun.types import Count, Rate

NEUTRAL = ("runs_dir", "rerun", "trainer.device", "trainer.eval_batch_size", "trainer.plots", "trainer.plot_smoothing",
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
    replacement: bool = False
    device: str = "auto"
    precision: Literal["float32", "float64"] = "float32"
    compile: Literal["auto", "always", "never"] = "auto"
    plots: bool = True
    plot_smoothing: Rate = 0.0


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
    parsed |= SCALARS_IF_WRONG | checked("", {k: (t, ...) for k, t in SCALARS.items()}, given, problems)
    problems += _unknown_guards(parsed["acknowledge"])
    hints = get_type_hints(TrainerConfig, include_extras=True)
    types = {f.name: (hints[f.name], f.default) for f in fields(TrainerConfig)}
    trainer = TrainerConfig(**checked("trainer", types, plain.get("trainer") or {}, problems))
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
    fitting = bound(key, node["name"], args, key, problems)
    return None if fitting is None else Section(node["name"], fitting)


def _mapping(key: str, node: Any, problems: list[Problem]) -> dict[str, dict[str, Any]]:
    if not isinstance(node or {}, dict) or not all(isinstance(a or {}, dict) for a in (node or {}).values()):
        problems.append(Problem(key, f"expected names with their arguments, received {node!r}"))
        return {}
    fitting = {
        str(name): bound(key, str(name), args or {}, f"{key}.{name}", problems) for name, args in (node or {}).items()
    }
    return {name: args for name, args in fitting.items() if args is not None}
