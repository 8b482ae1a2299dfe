"""What may come next on a command line: the candidates that the shell's completion shows. Imports no torch."""

from __future__ import annotations

from pathlib import Path

from dlrun import cli

FLAGS = ["--cfg", "--config-dir", "--help", "--info", "--multirun", "--plugins", "--quiet", "--resolve"]
SIMPLE = {
    "evaluate": ["run=", "weights=", "split=", "device=", "runs_dir="],
    "predict": ["run=", "input=", "rows=", "n=", "weights=", "split=", "device=", "runs_dir="],
    "runs": ["task=", "sort=", "runs_dir="],
}
VALUES = {"weights=": ["last", "best"], "rows=": ["train", "test"], "device=": ["auto", "cpu", "cuda"]}


def candidates(line: str) -> list[str]:
    """Whole words that may take the place of the last word of `line` (`dlrun …` up to the cursor)."""
    words = line.split()
    last = "" if line.endswith(" ") else words.pop()
    if len(words) < 2:
        return [c for c in [*cli.commands(), "--help", "--version"] if c.startswith(last)]
    command = words[1]
    if last.startswith("-"):
        flags = FLAGS if command in ("train", "show") else ["--help", "--plugins", "--quiet"]
        return [f for f in flags if f.startswith(last)]
    if command in ("train", "show"):
        return _hydra(words[2:], last)
    if command == "list":
        from dlrun.commands.list import GROUPS

        return [g for g in GROUPS if g.startswith(last)]
    if command == "completion":
        return [s for s in ("bash", "zsh") if s.startswith(last)]
    return _simple(command, last)


def _hydra(words: list[str], last: str) -> list[str]:
    """Groups, their options and config keys, as Hydra's own completion finds them."""
    from hydra._internal.core_plugins.bash_completion import BashCompletion

    from dlrun.compose import Composer

    dirs = [Path(words[i + 1]) for i, w in enumerate(words[:-1]) if w in ("--config-dir", "-cd")]
    plugins = [Path(words[i + 1]) / "configs" for i, w in enumerate(words[:-1]) if w == "--plugins"]
    composer = Composer([d for d in [*dirs, *plugins] if d.is_dir()])
    rest = [w for w in words if "=" in w]
    found = BashCompletion(composer.loader)._query("config", " ".join([*rest, last]) if last else " ".join([*rest, ""]))
    return [f for f in found if not f.startswith("hydra")]


def _simple(command: str, last: str) -> list[str]:
    key, equals, value = last.partition("=")
    if not equals:
        return [k for k in SIMPLE.get(command, []) if k.startswith(last)]
    if key in ("run", "task"):
        folders = sorted(Path("runs").glob("*/*/config.yaml"))
        names = {f.parent.parent.name for f in folders}
        if key == "run":
            names |= {f"{f.parent.parent.name}/{f.parent.name}" for f in folders}
        return [f"{key}={n}" for n in sorted(names) if n.startswith(value)]
    if key == "input":
        folder, _, start = value.rpartition("/")
        base = Path(folder or ("/" if value.startswith("/") else "."))
        prefix = f"{folder}/" if "/" in value else ""
        there = sorted(base.iterdir()) if base.is_dir() else []
        return [f"input={prefix}{p.name}{'/' if p.is_dir() else ''}" for p in there if p.name.startswith(start)]
    return [f"{key}={v}" for v in VALUES.get(f"{key}=", []) if v.startswith(value)]

