"""Names to code: a name in a config is a file in the group's package; the folder's listing is the allow-list.

A user's own components join by `--plugins DIR` (folders `DIR/<package>/<name>.py`) or by an installed
entry point `dlrun.<package>`. Nothing else can name code.
"""

from __future__ import annotations

import ast
import functools
import importlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, get_type_hints

import yaml

from dlrun.errors import ConfigError, Problem, available, nearest

PACKAGES = {
    "dataset": "datasets",
    "architecture": "architectures",
    "loss": "losses",
    "metrics": "metrics",
    "optimizer": "optimizers",
    "schedule": "schedules",
    "step": "steps",
    "evaluation": "evaluations",
    "callbacks": "callbacks",
    "guards": "guards",
    "baselines": "baselines",
}
"""Config group -> package of `dlrun/` that holds its files."""

EVERY = {**PACKAGES, "layer": "layers", "method": "explaining"}
"""Layers have names, too, but no group in the configuration: they stand inside an architecture. Nor have methods, which
`dlrun explain` names."""

BLOCKS = "blocks"
"""Folder of `dlrun/` and of plugins for graphs to be used like layers: YAML, not code."""

HERE = Path(__file__).parent
CONFIGS = next(d for d in (HERE / "configs", HERE.parent / "configs") if d.is_dir())
"""Beside the package in a wheel, beside it in the repository of an editable install."""

_plugin_dirs: list[Path] = []


def add_plugins(folder: str | Path) -> None:
    """Let the files of `folder/<package>/` be named. Raises ConfigError when there is nothing to name."""
    path = Path(folder).expanduser().resolve()
    known = sorted([*EVERY.values(), BLOCKS])
    if not any((path / package).is_dir() for package in known):
        raise ConfigError(
            Problem("--plugins", f"expected a folder with one of {', '.join(known)} in it, received '{folder}'")
        )
    if path not in _plugin_dirs:
        _plugin_dirs.append(path)


def plugin_dirs() -> list[Path]:
    """The folders named by `--plugins`, in order."""
    return list(_plugin_dirs)


def code() -> list[Path]:
    """Every file that a component may be made of, ours, those of the plugins and of installed packages: Python, and the
    YAML of blocks."""
    folders, files = [HERE, *_plugin_dirs], []
    for top in {point.module.partition(".")[0] for group in EVERY for point in _entry_points(group).values()}:
        spec = importlib.util.find_spec(top)
        folders += [Path(folder) for folder in (spec and spec.submodule_search_locations) or []]
        files += [Path(spec.origin)] if spec and spec.origin and not spec.submodule_search_locations else []
    written = [path for folder in folders for kind in ("*.py", f"{BLOCKS}/*.yaml") for path in folder.rglob(kind)]
    return sorted({*files, *written})


def blocks() -> dict[str, Path]:
    """The blocks that are files, ours and those of the plugins: graphs of layers in YAML (`graphs/blocks.py`)."""
    folders = [folder / BLOCKS for folder in (HERE, *_plugin_dirs)]
    return {file.stem: file for folder in folders for file in sorted(folder.glob("*.yaml"))}


def names(group: str) -> list[str]:
    """Every name of a config group, sorted."""
    return sorted({**_files(group), **_entry_points(group)})


def describe(group: str, name: str) -> str:
    """First line of the component's docstring, read without importing it."""
    path = _files(group).get(name)
    if path is None:
        return "(installed plugin)"
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except SyntaxError as error:
        return f"(can't be read: {error.msg}, line {error.lineno})"
    return (ast.get_docstring(tree) or "").partition("\n")[0]


def singular(group: str) -> str:
    """One of its components, in a sentence: metrics -> metric, loss -> loss."""
    return group.removesuffix("s") if group == EVERY.get(group) else group


def load(group: str, name: str) -> Callable[..., Any]:
    """The `build` function behind a name. Raises ConfigError for a name that has no file."""
    files = _files(group)
    if name in files:
        module = _import(group, name, files[name])
    elif name in _entry_points(group):
        module = _entry_points(group)[name].load()
    else:
        hint = nearest(name, names(group)) + " " + available(names(group))
        raise ConfigError(Problem(group, f"no {singular(group)} is called '{name}'", hint.strip()))
    if not callable(getattr(module, "build", None)):
        raise ConfigError(Problem(group, f"{module.__file__} has no function 'build'"))
    try:
        arguments(module.build)
    except (NameError, TypeError) as error:
        raise ConfigError(Problem(group, f"{module.__file__}: types of 'build' can't be read: {error}")) from None
    return module.build


@functools.cache
def arguments(build: Callable[..., Any]) -> Mapping[str, tuple[Any, Any]]:
    """Keyword-only parameters of a `build` function: name -> (type, default or `...`)."""
    hints = get_type_hints(build, include_extras=True)
    return MappingProxyType(
        {
            p.name: (hints.get(p.name, Any), ... if p.default is p.empty else p.default)
            for p in inspect.signature(build).parameters.values()
            if p.kind is p.KEYWORD_ONLY
        }
    )


def written(group: str, name: str) -> dict[str, Any]:
    """The arguments in a component's YAML, ours or a plugin's; nothing where it has none."""
    folders = [CONFIGS, *(folder / "configs" for folder in _plugin_dirs)]
    files = [file for folder in folders if (file := folder / group / f"{name}.yaml").is_file()]
    plain = yaml.safe_load(files[0].read_text(encoding="utf-8")) if files else {}
    return {key: value for key, value in plain.items() if key != "name"}


def _files(group: str) -> dict[str, Path]:
    package = EVERY[group]
    found = dict(_own_files(package))
    for folder in _plugin_dirs:
        found |= _listed(folder / package)
    return found


@functools.cache
def _own_files(package: str) -> dict[str, Path]:
    """Ours are listed once: a run asks a hundred times, and a sweep that often for each job."""
    return _listed(HERE / package)


def _listed(folder: Path) -> dict[str, Path]:
    return {f.stem: f for f in folder.glob("*.py") if not f.stem.startswith("_")}


@functools.cache
def _entry_points(group: str) -> dict[str, Any]:
    return {point.name: point for point in entry_points(group=f"dlrun.{EVERY[group]}")}


def _import(group: str, name: str, path: Path) -> ModuleType:
    package = EVERY[group]
    if path.parent == HERE / package:
        return importlib.import_module(f"dlrun.{package}.{name}")
    qualified = f"dlrun_plugins.{package}.{name}"
    if qualified in sys.modules and sys.modules[qualified].__file__ == str(path):
        return sys.modules[qualified]
    spec = importlib.util.spec_from_file_location(qualified, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[qualified] = module  # dataclasses and pickling look a module up while it is being made
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever is wrong with a file of the user's is the user's to mend
        del sys.modules[qualified]
        line = traceback.extract_tb(error.__traceback__)[-1]
        where = str(path) if line.filename != str(path) else f"{path}:{line.lineno}"
        raise ConfigError(Problem(group, f"{where} can't be imported: {type(error).__name__}: {error}")) from None
    return module
