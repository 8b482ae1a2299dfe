"""Arguments from YAML against the signature of the `build` that they are for; every problem at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from dlrun import registry
from dlrun.errors import ConfigError, Problem, available, nearest

_models: dict[str, type[BaseModel]] = {}
"""Checks made before; making one takes a millisecond, and a sweep asks for the same ones again and again."""


def bound(group: str, name: str, args: Mapping[str, Any], path: str, problems: list[Problem]) -> dict[str, Any] | None:
    """The arguments that fit a component's `build`; None when it is unknown or one that it needs is wrong."""
    try:
        types = registry.arguments(registry.load(group, name))
    except ConfigError as error:
        problems += error.problems
        return None
    fitting = checked(path, types, args, problems)
    needed = [k for k, (_, default) in types.items() if default is ...]
    return {k: v for k, v in fitting.items() if k in args} if all(k in fitting for k in needed) else None


def checked(path: str, types: Mapping[str, tuple[Any, Any]], given: Any, problems: list[Problem]) -> dict[str, Any]:
    """The values of `given` that fit `types`; what does not fit is added to `problems`, once per key."""
    if not isinstance(given, dict):
        problems.append(Problem(path, f"expected keys with values, received {given!r}"))
        return {}
    key = repr(types)
    if key not in _models:
        fields_: dict[str, Any] = dict(types)
        _models[key] = create_model("Arguments", __config__=ConfigDict(extra="forbid", strict=True), **fields_)
    try:
        _models[key].model_validate(given)
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
