"""Blocks: graphs with a name and parameters, used like layers; ours are the files of `dlrun/blocks/`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from dlrun import registry
from dlrun.errors import ConfigError, Problem, available, nearest
from dlrun.graphs import nodes, pretrained

KEYS = ("parameters", "inputs", "layers", "outputs", "imagenet", "top")
TOP_KEYS = ("size", "layers", "imagenet")


@dataclass(frozen=True)
class Top:
    """What makes a block the whole net that its weights are of: layers that follow it, which give the probability of
    each class. size: pixels of height and width of the pictures. imagenet: files that have weights of both."""

    size: int
    layers: Any
    imagenet: tuple[pretrained.Pinned, ...]


@dataclass(frozen=True)
class Block:
    """A graph to be filled in. parameters: with their defaults, None for those that must be given. inputs: what its
    layers call what they are given. outputs: nodes, one or more; none for the last. imagenet: files of weights, where
    there are any; top: what the weights know beside it. path: where it stands."""

    name: str
    path: str
    parameters: dict[str, Any]
    inputs: tuple[str, ...]
    layers: Any
    outputs: tuple[str, ...]
    imagenet: tuple[pretrained.Pinned, ...] = ()
    top: Top | None = None

    def filled(self, arguments: Mapping[str, Any], path: str) -> Any:
        """Its layers with `$parameter` replaced by values. path: of the node that uses it. Raises ConfigError."""
        known = self.parameters
        problems = [
            Problem(
                f"{path}.{name}",
                f"block '{self.name}' has no such parameter",
                f"{nearest(name, known)} {available(known)}".strip(),
            )
            for name in arguments
            if name not in known
        ]
        values = {**known, **{name: value for name, value in arguments.items() if name in known}}
        problems += [
            Problem(path, f"block '{self.name}' needs its parameter '{name}'", f"set {path}.{name}=…")
            for name, value in values.items()
            if value is None
        ]
        layers = _replaced(self.layers, values, f"{self.path}.layers", problems)
        if problems:
            raise ConfigError(problems)
        return layers


def _replaced(node: Any, values: Mapping[str, Any], path: str, problems: list[Problem]) -> Any:
    if isinstance(node, Mapping):
        return {key: _replaced(value, values, f"{path}.{key}", problems) for key, value in node.items()}
    if isinstance(node, list):
        return [_replaced(value, values, f"{path}.{i}", problems) for i, value in enumerate(node)]
    if isinstance(node, str) and node.startswith("$"):
        if node[1:] in values:
            return values[node[1:]]
        hint = f"{nearest(node[1:], values)} {available(values)}".strip()
        problems.append(Problem(path, f"the block has no parameter '{node[1:]}'", hint))
    return node


class Library:
    """All blocks by name: those of the architecture before ours. Files are read when they are asked for."""

    def __init__(self, own: Mapping[str, Any], path: str):
        self.own, self.path = {str(name): one for name, one in own.items()}, path
        self.files = registry.blocks()

    def wrong(self) -> list[Problem]:
        """What is wrong with the architecture's own blocks, used or not."""
        problems: list[Problem] = []
        for name in self.own:
            try:
                self.get(name)
            except ConfigError as error:
                problems += error.problems
        return problems

    def names(self) -> list[str]:
        """Every block there is."""
        return sorted({*self.own, *self.files})

    def get(self, name: str) -> Block:
        """A block of `names()`. Raises ConfigError where it is not written as one."""
        if name in self.own:
            return _block(name, self.own[name], f"{self.path}.{name}")
        file = self.files[name]
        try:
            written = yaml.safe_load(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise ConfigError(Problem(str(file), f"can't be read: {error}")) from None
        return _block(name, written, f"block {name}")


def _block(name: str, written: Any, path: str) -> Block:
    if not isinstance(written, Mapping) or "layers" not in written:
        raise ConfigError(Problem(path, f"expected a block with layers, received {written!r}"))
    problems = [
        Problem(f"{path}.{key}", "no such key", f"{nearest(str(key), KEYS)} {available(KEYS)}".strip())
        for key in written
        if key not in KEYS
    ]
    if name == "output" or name in registry.names("layer"):
        problems.append(Problem(path, f"'{name}' is the name of a layer, too", "call the block something else"))
    names: dict[str, tuple[str, ...]] = {}
    for key, default in (("inputs", ("x",)), ("outputs", ())):
        given = written.get(key, default)
        given = (given,) if isinstance(given, str) else given
        if not isinstance(given, list | tuple) or not all(isinstance(one, str) for one in given):
            problems.append(Problem(f"{path}.{key}", f"expected names, received {given!r}"))
            given = default
        names[key] = tuple(given)
    parameters = written.get("parameters") or {}
    if not isinstance(parameters, Mapping):
        problems.append(Problem(f"{path}.parameters", f"expected names with defaults, received {parameters!r}"))
        parameters = {}
    problems += [
        Problem(f"{path}.parameters.{key}", f"'{key}' is what any layer may say", "call the parameter something else")
        for key in parameters
        if key in ("name", *nodes.KEYS)
    ]
    files = pretrained.pinned(written.get("imagenet", []), f"{path}.imagenet", problems)
    top = _top(written["top"], files, f"{path}.top", problems) if "top" in written else None
    if problems:
        raise ConfigError(problems)
    plain = {str(key): value for key, value in parameters.items()}
    return Block(name, path, plain, names["inputs"], written["layers"], names["outputs"], files, top)


def _top(written: Any, files: tuple[pretrained.Pinned, ...], path: str, problems: list[Problem]) -> Top | None:
    """files: those of the block, which are the top's, too, where it names no others."""
    if not isinstance(written, Mapping) or not {"size", "layers"} <= set(written) <= set(TOP_KEYS):
        problems.append(Problem(path, f"expected size and layers, received {written!r}", available(TOP_KEYS)))
        return None
    own = pretrained.pinned(written["imagenet"], f"{path}.imagenet", problems) if "imagenet" in written else files
    return Top(int(written["size"]), written["layers"], own)
