"""One file per sub-command: its docstring is its help, its `main(words)` does the work."""

from __future__ import annotations

import ast
from pathlib import Path

HERE = Path(__file__).parent


def names() -> list[str]:
    """The sub-commands: the files of this folder."""
    return sorted(f.stem for f in HERE.glob("*.py") if not f.stem.startswith("_"))


def help_of(command: str) -> str:
    """A command's help: the docstring of its file, read without importing it."""
    source = (HERE / f"{command}.py").read_text(encoding="utf-8")
    return ast.get_docstring(ast.parse(source)) or ""
