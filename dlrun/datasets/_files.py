"""The files of datasets: from the cache, from a mirror or from the official address, pinned by SHA-256.

DLRUN_DATA: the cache, by default `~/.cache/dlrun`, laid out `<dataset>/<file>`.
DLRUN_MIRROR: folders or base addresses (http, https, file), separated by commas, laid out alike.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit
from urllib.request import url2pathname

from dlrun.datasets._download import download
from dlrun.errors import DataError

log = logging.getLogger("dlrun")

Source = Literal["real", "sample", "auto"]

STALE = 86_400.0  # seconds after which what a killed download left behind is removed


@dataclass(frozen=True)
class File:
    """One file as it must be.

    url: the official address; None where these bytes have none. sha256: the checksum, or several where several copies
    are accepted; only its beginning, or `md5:…`, where no more of it has been published; none at all where none is
    known, and whoever reads the file then judges its content. bytes: size of the official copy.
    """

    dataset: str
    name: str
    url: str | None
    sha256: str | tuple[str, ...]
    bytes: int

    @property
    def accepted(self) -> tuple[str, ...]:
        """The accepted checksums."""
        return (self.sha256,) if isinstance(self.sha256, str) else self.sha256

    @property
    def pins(self) -> str:
        """The accepted checksums, for messages."""
        named = (
            one.replace(":", " ") if ":" in one else f"sha256 {one}{'…' * (len(one) < 64)}" for one in self.accepted
        )
        return " or ".join(named) or "sha256 not known"

    def is_right(self, path: Path, sha256: str) -> bool:
        """Whether the content of `path`, of that SHA-256, is accepted."""
        md5 = {one.removeprefix("md5:") for one in self.accepted if one.startswith("md5:")}
        return (
            not self.accepted
            or any(sha256.startswith(one) for one in self.accepted)
            or bool(md5 and hashlib.md5(path.read_bytes()).hexdigest() in md5)
        )

    @property
    def path(self) -> Path:
        """Where the file lies in the cache, or would."""
        return cache_folder() / self.dataset / self.name


def cache_folder() -> Path:
    """The folder of DLRUN_DATA."""
    return Path(os.environ.get("DLRUN_DATA") or "~/.cache/dlrun").expanduser()


def mirrors() -> list[str]:
    """The folders and base addresses of DLRUN_MIRROR, in order."""
    return [m.strip().rstrip("/") for m in os.environ.get("DLRUN_MIRROR", "").split(",") if m.strip()]


SAMPLE = "use dataset.source=sample, a small generated set that needs no files"


def fetch(*files: File, otherwise: str = SAMPLE) -> Path:
    """The path in the cache of the first of `files` that can be had; several serve alike.

    Looked for in the cache, then in the mirrors, then at the official addresses. A cached file is hashed
    when it enters the cache and again when its size or time has changed since.
    Raises DataError with every place tried, what went wrong there, and what to do; the last way is `otherwise`.
    """
    tried = []
    for file in files:
        if not (problem := _cached_problem(file)):
            return file.path
        tried.append(f"cache {file.path}: {problem}")
    places = [(f"{mirror}/{f.dataset}/{f.name}", "mirror", f) for mirror in mirrors() for f in files]
    places += [(f.url, "official", f) for f in files if f.url]
    for address, kind, file in places:
        if not (problem := _bring(address, file)):
            log.info("fetched %s/%s from %s", file.dataset, file.name, address)
            return file.path
        tried.append(f"{kind} {address}: {problem}")
    raise DataError(_message(files, tried, otherwise))


def checksum(path: Path) -> str:
    """The SHA-256 of a file that `fetch` gave, as recorded when it was last hashed."""
    mark = _read_mark(path)
    return mark[0] if mark else _sha256(path)  # no mark: a cache that this process may only read


def read_verified(file: File) -> bytes:
    """The content of `file`, hashed now: for formats that are only safe to read from trusted bytes."""
    content = fetch(file).read_bytes()
    if hashlib.sha256(content).hexdigest() not in file.accepted:
        mark_path(file.path).unlink(missing_ok=True)  # the next fetch will look for itself
        raise DataError(f"{file.path} changed since it was checked; run the command again to replace it")
    return content


def resolve(source: Source, dataset: str, fetch_all: Callable[[], object]) -> Literal["real", "sample"]:
    """What `source` means here and now: `auto` is real where `fetch_all` succeeds, else sample."""
    if source != "auto":
        return source
    try:
        fetch_all()
    except DataError as error:
        log.warning(
            "dataset %s: the real data can't be had, so this run uses SAMPLE data, which says nothing about "
            "the book's figures. %s",
            dataset,
            error,
        )
        return "sample"
    return "real"


@contextmanager
def written_aside(target: Path) -> Iterator[Path]:
    """A path beside `target` to write to; it becomes `target` in one rename when the block ends well."""
    target.parent.mkdir(parents=True, exist_ok=True)
    for old in target.parent.glob(f".{target.name}.*.part"):
        with suppress(OSError):  # another process may have been quicker
            if time.time() - old.stat().st_mtime > STALE:
                old.unlink()
    part = target.with_name(f".{target.name}.{uuid.uuid4().hex}.part")
    try:
        yield part
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def _cached_problem(file: File) -> str:
    """What is wrong with the cached file; empty when it can be used."""
    try:
        stat = file.path.stat()
    except OSError as error:
        return reason(error)
    mark = _read_mark(file.path)
    if mark and mark[1:] == (stat.st_size, stat.st_mtime_ns) and file.is_right(file.path, mark[0]):
        return ""
    try:
        problem = content_problem(file.path, file)
    except OSError as error:
        return reason(error)
    if not problem:
        _write_mark(file.path, file.path)
    return problem


def content_problem(path: Path, file: File) -> str:
    received = _sha256(path)
    if file.is_right(path, received):
        return ""
    return f"expected {file.pins} ({file.bytes:,} bytes), received {received} ({path.stat().st_size:,} bytes)"


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def mark_path(path: Path) -> Path:
    return path.with_name(f".{path.name}.checked")


def _read_mark(path: Path) -> tuple[str, int, int] | None:
    """SHA-256, bytes and time [ns] of `path` when it was last hashed, if that is known."""
    try:
        mark = json.loads(mark_path(path).read_text())
        return mark["sha256"], mark["bytes"], mark["mtime_ns"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write_mark(content: Path, target: Path) -> None:
    """Record that `content`, which is `target` or becomes it, was hashed. A mark only saves time."""
    stat = content.stat()
    facts = {"sha256": _sha256(content), "bytes": stat.st_size, "mtime_ns": stat.st_mtime_ns}
    with suppress(OSError), written_aside(mark_path(target)) as part:
        part.write_text(json.dumps(facts))


def _bring(address: str, file: File) -> str:
    """Copy `address` into the cache if it is what it should be; what went wrong, or nothing."""
    try:
        with written_aside(file.path) as part:
            if urlsplit(address).scheme in ("http", "https"):
                download(address, part)
            else:
                shutil.copyfile(local_path(address), part)
            if problem := content_problem(part, file):
                raise ValueError(problem)
            _write_mark(part, file.path)  # a rename keeps size and time
    except (OSError, ValueError) as error:  # requests' errors are OSErrors
        return reason(error)
    return ""


def local_path(address: str) -> Path:
    parts = urlsplit(address)
    return Path(url2pathname(parts.path) if parts.scheme == "file" else address).expanduser()


def reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file"
    text = " ".join(str(error).split())
    return text if isinstance(error, ValueError) else f"{type(error).__name__}: {text}"


def _message(files: tuple[File, ...], tried: list[str], otherwise: str) -> str:
    names = " or ".join(f"{f.dataset}/{f.name}" for f in files)
    ways = [f"fetch {f.url} ({f.bytes:,} bytes, {f.pins}) and put it at {f.path}" for f in files if f.url]
    ways.append(f"set DLRUN_MIRROR to a folder or base address that holds {names}")
    ways.append(otherwise)
    return "\n".join(
        [f"{names} can't be had. Tried:", *(f"  - {t}" for t in tried), "Either", *(f"  - {w}" for w in ways)]
    )
