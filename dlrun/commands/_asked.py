"""The words of `dlrun reproduce`: which experiments, which seeds, and what goes to every run."""

from __future__ import annotations

from dataclasses import dataclass

from dlrun.claims import experiments, why_not
from dlrun.errors import ConfigError, Problem, available, nearest

OPTIONS = {"seeds": "", "runs_dir": "runs", "write": "false", "strict": "false"}


@dataclass(frozen=True)
class Asked:
    """A command line. seeds: empty for the experiment's own. words: what goes to every run."""

    names: list[str]
    seeds: list[int]
    runs_dir: str
    write: bool
    strict: bool
    words: list[str]


def parse(words: list[str]) -> Asked:
    """The words as names, options and overrides. Raises ConfigError with every wrong one."""
    known = [*experiments(), "all"]
    values, names, overrides = dict(OPTIONS), [], []
    problems: list[Problem] = []
    for word in words:
        key, equals, value = word.partition("=")
        if key in OPTIONS and equals:
            values[key] = value
            if not value:
                problems.append(Problem(key, "expected a value, received none", "dlrun reproduce --help"))
        elif key in ("task", "seed"):
            hint = "seeds=0,1,2 chooses the seeds; dlrun train runs a single task"
            problems.append(Problem(key, "set by the experiment", hint))
        elif equals and nearest(key, OPTIONS):
            problems.append(Problem(key, "no such key", f"{nearest(key, OPTIONS)} {available(OPTIONS)}"))
        elif equals or word.startswith(("+", "~")):
            overrides.append(word)
        elif word.startswith("-"):
            problems.append(Problem(word, "no such flag", "dlrun reproduce --help"))
        elif word in known:
            names.append(word)
        else:
            hint = f"{nearest(word, known)} {available(known)}".strip()
            problems.append(Problem("", f"no experiment is called '{word}'", hint))
    for key in ("write", "strict"):
        if values[key] not in ("true", "false"):
            problems.append(Problem(key, f"expected true or false, received '{values[key]}'"))
    seeds = [s.strip() for s in values["seeds"].strip("[]").split(",") if s.strip()]
    if wrong := [s for s in seeds if not s.isdecimal()]:
        problems.append(Problem("seeds", f"expected whole numbers such as 0,1,2, received '{', '.join(wrong)}'"))
    if values["write"] == "true" and why_not(overrides, "real"):
        message = f"results of runs {why_not(overrides, 'real')} are not written into a README"
        problems.append(Problem("write", message, "leave the changes out"))
    if problems:
        raise ConfigError(problems)
    numbers = list(dict.fromkeys(int(s) for s in seeds))
    return Asked(names, numbers, values["runs_dir"], values["write"] == "true", values["strict"] == "true", overrides)
