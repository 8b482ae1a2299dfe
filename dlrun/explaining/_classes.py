"""The classes that a net tells apart: how much it believes in each, and which one a user means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from dlrun.contracts import TargetSpec
from dlrun.errors import ConfigError, Problem, available, nearest


@dataclass(frozen=True)
class Class:
    """index, name; probability and logit, scalars that know how they came about. Of a number to predict both are it."""

    index: int
    name: str
    probability: Tensor
    logit: Tensor

    @property
    def value(self) -> float:
        """The probability as a number."""
        return float(self.probability.detach())


def target(targets: Mapping[str, TargetSpec], named: str) -> str:
    """The only target, or the one that was named. Raises ConfigError."""
    if named in targets or (not named and len(targets) == 1):
        return named or next(iter(targets))
    if not named:
        raise ConfigError(Problem("target", f"the net has {len(targets)} targets: name one", available(targets)))
    hint = f"{nearest(named, targets)} {available(targets)}".strip()
    raise ConfigError(Problem("target", f"no target '{named}'", hint))


def classes(name: str, spec: TargetSpec, outputs: Mapping[str, Tensor]) -> list[Class]:
    """Of one row, by index. outputs: the model's."""
    values, logits = outputs[name][0].flatten(), outputs[f"{name}_logits"][0].flatten()
    if spec.problem == "binary":
        (p,), (z,) = values, logits
        return [Class(0, _label(spec, 0), 1 - p, -z), Class(1, _label(spec, 1), p, z)]
    if not spec.classes:
        many = len(values) > 1
        pairs = zip(values, logits, strict=True)
        return [Class(i, f"{name}[{i}]" if many else name, p, z) for i, (p, z) in enumerate(pairs)]
    return [Class(i, _label(spec, i), p, z) for i, (p, z) in enumerate(zip(values, logits, strict=True))]


def chosen(found: list[Class], word: str) -> Class:
    """The class of that name or index; the likeliest if nothing is said. Raises ConfigError."""
    if not word:
        return max(found, key=lambda one: one.value)
    same = [one for one in found if one.name == word] or [one for one in found if _same(one.name, word)]
    if not same and word.isdecimal():
        if int(word) < len(found):
            return found[int(word)]
        raise ConfigError(Problem("class", f"no class {word}", f"there are {len(found)}: 0 to {len(found) - 1}"))
    if len(same) == 1:
        return same[0]
    names = [one.name for one in found]
    if same:
        indices = ", ".join(str(one.index) for one in same)
        raise ConfigError(Problem("class", f"{len(same)} classes are called '{word}'", f"say its index: {indices}"))
    hint = f"{nearest(word.replace(' ', '_'), names)} {available(names)}, or an index".strip()
    raise ConfigError(Problem("class", f"no class is called '{word}'", hint))


def likeliest(found: list[Class], count: int) -> list[Class]:
    """The first `count` of all, in order."""
    return sorted(found, key=lambda one: -one.value)[:count]


def _label(spec: TargetSpec, index: int) -> str:
    return spec.labels[index] if spec.labels else str(index)


def _same(name: str, word: str) -> bool:
    return name.lower().replace("_", " ") == word.lower().replace("_", " ")
