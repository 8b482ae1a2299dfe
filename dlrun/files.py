"""Writing files so that a kill, a full disk or a second process leaves the old one or the new one."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dlrun.errors import RunError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def writing(path: Path, lasting: bool = True) -> Iterator[Path]:
    """A side file to write to; it takes the place of `path` when the block ends, and goes when it fails. lasting: it is
    on the disk before that, so that not even a power cut loses both.

    Raises RunError when the file can't be written; what was at `path` before is still there.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield aside
        if lasting:
            with aside.open("rb+") as file:
                os.fsync(file.fileno())
        os.replace(aside, path)
    except (OSError, RuntimeError) as error:
        # torch.save makes a RuntimeError of the file's own error, which says what is the matter.
        cause = error if isinstance(error, OSError) else error.__context__
        if not isinstance(cause, OSError):
            raise
        raise RunError(cant_write(path, cause)) from None
    finally:
        with suppress(OSError):
            aside.unlink()


def remove_side_files(folder: Path) -> None:
    """Those that killed processes left behind. For the only writer of a folder."""
    for path in folder.rglob(".*"):
        if re.fullmatch(r"\..+\.\d+", path.name) and path.is_file():
            path.unlink()


def write_text(path: Path, text: str, lasting: bool = True) -> None:
    """A whole text file, at once. lasting: as in `writing`."""
    with writing(path, lasting) as aside:
        aside.write_text(text, encoding="utf-8")


def append_text(path: Path, text: str) -> None:
    """More lines at the end of a file. Raises RunError when they can't be written; no half line stays."""
    before = path.stat().st_size if path.exists() else 0
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        with suppress(OSError):
            os.truncate(path, before)
        raise RunError(cant_write(path, error)) from None


def cant_write(path: Path, error: OSError) -> str:
    """The message for a full or read-only disk, or for a path that can't be."""
    way_out = "make room" if error.errno in FULL else "make it writable, or choose another runs_dir"
    return (
        f"can't write {path}: {error.strerror or error}. The last good state is kept: {way_out}, "
        f"and the same command goes on."
    )
