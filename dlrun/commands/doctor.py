"""versions, devices, data: what works here

  dlrun doctor

Looks at Python and package versions, compute devices, the data cache and the mirrors, and says what to do
where something is missing. Exit code 0 when `dlrun train` can run, 4 when it can't.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from dlrun import console
from dlrun.commands._words import parse
from dlrun.environment import versions


def main(words: list[str]) -> int:
    """Print what was found."""
    parse(words, {})
    rows = [[name, version, "" if version != "not installed" else "pip install dlrun"] for name, version in versions().items()]
    console.table(["package", "version", ""], rows, title="Versions")
    works, devices = _devices()
    console.table(["device", "", ""], devices, title="\nDevices")
    console.table(["place", "state", ""], _places(), title="\nData")
    return 0 if works else 4


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


def _places() -> list[list[str]]:
    from dlrun.datasets._files import cache_folder, mirrors

    cache = cache_folder()
    nearest = next(p for p in (cache, *cache.parents) if p.exists())
    free = f"{shutil.disk_usage(nearest).free / 2**30:.0f} GiB free"
    rows = [[f"cache {cache}", free if os.access(nearest, os.W_OK) else "not writable", "DLRUN_DATA changes it"]]
    for mirror in mirrors():
        if "://" in mirror:
            rows.append([f"mirror {mirror}", "an address", "tried at the first fetch"])
        else:
            there = Path(mirror).is_dir()
            rows.append([f"mirror {mirror}", "there" if there else "missing", "" if there else "see DLRUN_MIRROR"])
    if not mirrors():
        rows.append(["mirror", "none", "set DLRUN_MIRROR to a folder or address where the official ones can't be reached"])
    return rows
