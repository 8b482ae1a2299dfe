"""versions, devices, data: what works here

  dlrun doctor

Looks at Python and package versions, compute devices, the C++ compiler, the caches and the mirrors, and says
what to do where something is missing. Exit code 0 when `dlrun train` can run, 4 when it can't.

Examples
  dlrun doctor
  DLRUN_MIRROR=/data/mirror dlrun doctor     is the mirror seen?
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from dlrun import console
from dlrun.commands._words import parse
from dlrun.environment import versions


def main(words: list[str]) -> int:
    """Print what was found."""
    parse(words, {})
    rows = [
        [name, version, "pip install dlrun" if version == "not installed" else ""]
        for name, version in versions().items()
    ]
    console.table(["package", "version", "to do"], rows, title="Versions")
    works, devices = _devices()
    console.table(["device", "what it is", "state"], devices, title="\nDevices", whole=["device"])
    console.table(["compiled updates", "place", "state"], _compiling(), title="\nCompiling")
    console.table(["data", "place", "state"], _places(), title="\nData", whole=["data"])
    return 0 if works and not any(todo for *_, todo in rows) else 4


def _devices() -> tuple[bool, list[list[str]]]:
    try:
        import torch

        x = torch.ones(8, 8)
        assert float((x @ x).sum()) == 512.0
    except Exception as error:
        return False, [["torch", "does not work", str(error)[:100]]]
    rows = [["cpu", f"{torch.get_num_threads()} threads", "works"]]
    for i in range(torch.cuda.device_count()):
        memory = torch.cuda.get_device_properties(i).total_memory / 2**30
        rows.append([f"cuda:{i}", f"{torch.cuda.get_device_name(i)}, {memory:.0f} GiB", "works"])
    if not torch.cuda.is_available():
        rows.append(["cuda", "none", "runs go to the CPU"])
    return True, rows


def _compiling() -> list[list[str]]:
    """The C++ compiler that torch calls, and what it has made so far."""
    from dlrun.compiler import cache_folder

    compiler = os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")
    found = shutil.which(compiler)
    folder = cache_folder()
    sizes = [f.stat().st_size for f in folder.glob("*/update.so")]
    kept = f"{len(sizes)} kept, {sum(sizes) / 2**20:.0f} MiB" if sizes else "none yet"
    missing = "not found: updates run without being compiled; install it, or set CXX"
    return [["compiler", found or compiler, "works with trainer.compile" if found else missing],
            ["cache", str(folder), kept]]  # fmt: skip


def _places() -> list[list[str]]:
    from dlrun.datasets._files import cache_folder, mirrors

    cache = cache_folder()
    nearest = next(p for p in (cache, *cache.absolute().parents) if p.exists())
    free = f"{shutil.disk_usage(nearest).free / 2**30:.0f} GiB free"
    state = (
        f"{free}, {_held(cache)}" if os.access(nearest, os.W_OK) else "not writable: set DLRUN_DATA to a folder that is"
    )
    rows = [["cache", str(cache), state]]
    for mirror in mirrors():
        missing = "no such folder: see DLRUN_MIRROR"
        state = "an address, tried at the first fetch" if "://" in mirror else missing
        rows.append(["mirror", mirror, _held(Path(mirror)) if Path(mirror).is_dir() else state])
    if not mirrors():
        rows.append(
            ["mirror", "none", "set DLRUN_MIRROR to a folder or address where the official ones can't be reached"]
        )
    return rows


def _held(folder: Path) -> str:
    """The datasets that a folder has files of."""
    names = sorted(d.name for d in folder.glob("*") if d.is_dir() and any(d.iterdir()))
    return f"holds {', '.join(names)}" if names else "empty"
