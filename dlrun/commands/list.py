"""tasks, datasets, architectures, losses, … each with its one line

  dlrun list [GROUP] [--plugins DIR] [--config-dir DIR]

GROUP is what stands before = in `dlrun train GROUP=NAME`. The folders bring names of your own.

Examples
  dlrun list                 the groups, and how many names each has
  dlrun list task            the recipes
  dlrun list optimizer       what may follow optimizer= on the command line
  dlrun list loss --plugins mine
"""

from __future__ import annotations

from pathlib import Path

from dlrun import console, registry
from dlrun.commands._words import split_plugins, take
from dlrun.errors import ConfigError, Problem, available, nearest

HERE = Path(__file__).parent.parent
GROUPS = ["task", *sorted([*registry.EVERY, "block"]), "trainer"]
PLURAL = {package: group for group, package in registry.EVERY.items()} | {"tasks": "task", "blocks": "block"}


def main(words: list[str]) -> int:
    """Print a group's names."""
    chosen, rest = take(split_plugins(words), "--config-dir")
    for folder in chosen:
        if not Path(folder).is_dir():
            raise ConfigError(Problem("--config-dir", f"expected a folder, received '{folder}'"))
    bundled = [d / "configs" for d in registry.plugin_dirs()]
    dirs = [HERE / "configs", HERE.parent / "configs", *bundled, *(Path(d) for d in chosen)]
    if len(rest) > 1:
        raise ConfigError(Problem("", f"expected one group, received {' '.join(rest)}", available(GROUPS)))
    if not rest:
        found = {group: list(entries(group, dirs)) for group in GROUPS}
        rows = [[group, len(names), ", ".join(names)] for group, names in found.items()]
        console.table(["group", "count", "names"], rows, right=["count"], whole=["group"])
        return 0
    group = PLURAL.get(rest[0], rest[0])
    if group not in GROUPS:
        raise ConfigError(Problem("", f"no group is called '{group}'", f"{nearest(group, GROUPS)} {available(GROUPS)}"))
    console.table([group, "what it is"], list(entries(group, dirs).items()), whole=[group])
    return 0


def entries(group: str, dirs: list[Path]) -> dict[str, str]:
    """Name -> one line: the first comment of its YAML, else the component's docstring."""
    found = {}
    for file in sorted(f for d in dirs for f in (d / group).glob("*.yaml")):
        found[file.stem] = first_comment(file)
    if group == "block":
        return {name: first_comment(file) for name, file in sorted(registry.blocks().items())}
    if group in registry.EVERY:
        for name in registry.names(group):
            found[name] = found.get(name) or registry.describe(group, name)
    return dict(sorted(found.items()))


def first_comment(file: Path) -> str:
    """The first comment line of a YAML that says something; directives such as `@package` do not."""
    for line in file.read_text(encoding="utf-8").splitlines():
        text = line.lstrip("# ").strip()
        if not line.startswith("#"):
            break
        if text and not text.startswith("@package"):
            return text
    return ""
