"""What a method is, and what it gives back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from dlrun.explaining._subject import Subject


@dataclass
class Report:
    """What to show. about: what was looked at, for the title. right: columns of figures. files: what was written.
    remarks: sentences for those who look at the pictures."""

    about: str
    columns: Sequence[str]
    rows: list[list[Any]]
    right: Sequence[str]
    files: list[Path]
    remarks: list[str] = field(default_factory=list)


class Method(Protocol):
    """classes: whether a pretrained net must have its classes."""

    classes: bool

    def explain(self, subject: Subject, folder: Path) -> Report:
        """Write pictures into a folder below `folder`. Raises ConfigError and DataError."""
        ...
