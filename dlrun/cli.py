"""The command line: finds the sub-command, prints help, turns errors into exit codes. Imports no torch.

A sub-command is a file in `commands/`: its docstring is its help, its `main(words)` does the work.
"""

from __future__ import annotations

import importlib
import os
import sys

from dlrun import __version__
from dlrun.commands import help_of, names

HEAD = f"""dlrun {__version__}: deep-learning experiments from YAML

  dlrun COMMAND [key=value …]

  dlrun train task=imdb_dense                              run a task; again: resumes, or shows the result
  dlrun train task=imdb_dense architecture.units=[32,32]   change anything
  dlrun train -m task=imdb_dense seed=0,1,2                sweep
  dlrun runs                                               what has been run

Commands"""

TAIL = """
  dlrun COMMAND --help     what a command takes, with examples
  -q, --quiet              print errors only
  --plugins DIR            let your own components be named (DIR/datasets/x.py, DIR/architectures/y.py, …)

Exit codes: 0 done · 2 usage or config · 3 data · 4 the run failed · 75 busy or preempted · 130 interrupted"""


def main(words: list[str] | None = None) -> int:
    """Run a command line; returns the exit code."""
    words = list(sys.argv[1:] if words is None else words)
    while len(words) > 1 and words[0] in ("-q", "--quiet"):
        words.append(words.pop(0))  # before the command it means the same as after it
    if not words or words[0] in ("-h", "--help", "help"):
        print(overview())
        return 0
    if words[0] in ("-V", "--version"):
        print(f"dlrun {__version__}")
        return 0
    command, rest = words[0], words[1:]
    if command == "_complete":
        from dlrun.completing import candidates

        print("\n".join(candidates(" ".join(rest))))
        return 0
    if command in names() and any(w in ("-h", "--help") for w in rest):
        print(help_of(command))
        return 0
    return _run(command, rest)


def overview() -> str:
    """The text of `dlrun --help`."""
    lines = [f"  {c:<12} {help_of(c).partition(chr(10))[0]}" for c in names()]
    return "\n".join([HEAD, *lines, TAIL])


def _run(command: str, words: list[str]) -> int:
    from dlrun import console
    from dlrun.errors import ConfigError, DlrunError, Problem, available, nearest

    if os.getloadavg()[0] > (os.cpu_count() or 1) / 2:
        # Threads that spin while they wait are fastest alone and crawl beside other work: then they sleep.
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    quiet = [w for w in words if w in ("-q", "--quiet")]
    console.configure(bool(quiet))
    try:
        if command not in names():
            hint = f"{nearest(command, names())} {available(names())}".strip()
            raise ConfigError(Problem("", f"no command is called '{command}'", hint))
        module = importlib.import_module(f"dlrun.commands.{command}")
        return int(module.main([w for w in words if w not in quiet]) or 0)
    except DlrunError as error:
        console.error(error, trains=command == "train")
        return error.exit_code
    except KeyboardInterrupt:
        console.err.print("interrupted")
        return 130
    except BrokenPipeError:  # `dlrun runs | head`
        sys.stderr.close()
        return 0


if __name__ == "__main__":
    sys.exit(main())
