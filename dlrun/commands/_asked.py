"""The words of `dlrun reproduce`: which experiments, which seeds, and what goes to every run."""

from __future__ import annotations

from dataclasses import dataclass, fields

from dlrun.claims import experiments, why_not
from dlrun.config import RunConfig
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
    config = [field.name for field in fields(RunConfig)]
    values, names, overrides = dict(OPTIONS), [], []
    problems: list[Problem] = []
    for word in words:
        key, equals, value = word.partition("=")
        if key in OPTIONS and equals:
            values[key] = value
            if not value and key == "runs_dir":
                problems.append(Problem(key, "expected a folder, received none"))
        elif key in ("task", "seed"):
            hint = "seeds=0,1,2 chooses the seeds; dlrun train runs a single task"
            problems.append(Problem(key, "set by the experiment", hint))
        elif equals and key.isidentifier() and key not in config:
            hint = f"{nearest(key, [*OPTIONS, *config])} {available(OPTIONS)}, and the keys of dlrun train"
            problems.append(Problem(key, "no such key", hint.strip()))
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
    wrong = ", ".join(s for s in seeds if not s.isdecimal())
    if wrong or (not seeds and any(w.startswith("seeds=") for w in words)):
        received = f"'{wrong or values['seeds']}'" if wrong or values["seeds"] else "none"
        problems.append(Problem("seeds", f"expected whole numbers such as 0,1,2, received {received}"))
    if values["write"] == "true" and why_not(overrides, "real"):
        message = f"results of runs {why_not(overrides, 'real')} are not written into a README"
        problems.append(Problem("write", message, "leave the changes out"))
    if problems:
        raise ConfigError(problems)
    numbers = list(dict.fromkeys(int(s) for s in seeds))
    return Asked(names, numbers, values["runs_dir"], values["write"] == "true", values["strict"] == "true", overrides)
