"""Writing files so that a kill, a full disk or a second process leaves the old one or the new one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dlrun.errors import RunError


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """A side file to write to; it takes the place of `path` when the block ends, and goes when it fails.

    Raises RunError when the file can't be written; what was at `path` before is still there.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield aside
        with aside.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(aside, path)
    except (OSError, RuntimeError) as error:  # torch.save reports a full disk as a RuntimeError
        if isinstance(error, RuntimeError) and not _is_write_error(error):
            raise
        raise RunError(cant_write(path, error)) from None
    finally:
        aside.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """A whole text file, at once."""
    with writing(path) as aside:
        aside.write_text(text, encoding="utf-8")


def append_text(path: Path, text: str) -> None:
    """More lines at the end of a file. Raises RunError when they can't be written."""
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise RunError(cant_write(path, error)) from None


def cant_write(path: Path, error: Exception) -> str:
    """The message for a full or read-only disk."""
    reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
    return (
        f"can't write {path}: {reason}. The last good state is kept: make room (or choose another "
        f"runs_dir), and the same command goes on from there."
    )


def _is_write_error(error: RuntimeError) -> bool:
    return any(word in str(error) for word in ("PytorchStreamWriter", "write", "enforce fail at inline_container"))
