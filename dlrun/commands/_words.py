"""Words of the commands that need no Hydra: `key=value` and `--plugins DIR`."""

from __future__ import annotations

from dlrun import registry
from dlrun.errors import ConfigError, Problem, available, nearest


def take(words: list[str], flag: str) -> tuple[list[str], list[str]]:
    """Every `flag VALUE` and `flag=VALUE` out of the words: the values, and the words that are left."""
    values: list[str] = []
    rest: list[str] = []
    waiting = iter(words)
    for word in waiting:
        name, _, value = word.partition("=")
        if name != flag:
            rest.append(word)
            continue
        values.append(value or next(waiting, ""))
        if not values[-1]:
            raise ConfigError(Problem(flag, "expected a folder after it, received nothing"))
    return values, rest


def split_plugins(words: list[str]) -> list[str]:
    """Register every `--plugins DIR` and return the other words."""
    folders, rest = take(words, "--plugins")
    for folder in folders:
        registry.add_plugins(folder)
    return rest


def parse(words: list[str], known: dict[str, str], required: tuple[str, ...] = ()) -> dict[str, str]:
    """`key=value` words as a dict over the defaults `known`. Raises ConfigError with every wrong word."""
    values, problems = dict(known), []
    for word in split_plugins(words):
        key, equals, value = word.partition("=")
        if not equals:
            problems.append(Problem(word, f"expected key=value, received '{word}'", available(known)))
        elif key not in known:
            problems.append(Problem(key, "no such key", f"{nearest(key, known)} {available(known)}".strip()))
        else:
            values[key] = value
    problems += [Problem(key, f"missing: give {key}=…") for key in required if not values[key]]
    if problems:
        raise ConfigError(problems)
    return values
