"""Graphs in place of machine code, and a user's own parts."""

from __future__ import annotations

import fcntl
import os
import shutil
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from _comparing import BOSTON, train
from _own import NETS, PARTS
from _running import only_run

from dlrun import compiler, registry
from dlrun.compiler import Library, trace


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> list[torch.fx.GraphModule]:
    """What would be compiled is run operation by operation, in a tenth of the time to compile it. Returns the graphs,
    one for each training that was compiled."""
    graphs: list[torch.fx.GraphModule] = []

    def make(self, function, inputs):
        graphs.append(graph := trace(function, inputs))
        return lambda given: list(graph(*given))

    monkeypatch.setattr(Library, "load", lambda self: None)
    monkeypatch.setattr(Library, "make", make)
    return graphs


@pytest.fixture
def write(project: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Writes files of a user's own into the folder `own`, for `--plugins own`."""
    monkeypatch.setattr(registry, "_plugin_dirs", [])

    def write(name: str, text: str) -> None:
        file = project / "own" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text).lstrip())

    return write


@pytest.fixture
def own(write: Callable[[str, str], None]) -> Callable[[str], list[str]]:
    """Words for a run of one of `NETS` on data of its own."""
    for name, text in PARTS.items():
        write(name, text)

    def words(net: str) -> list[str]:
        text, layers, forward = NETS[net]
        for place, code in (("LAYERS", layers), ("FORWARD", forward)):
            lines = textwrap.dedent(code).strip().splitlines()
            text = text.replace(place, ("\n" + 12 * " ").join(lines))
        write(f"architectures/{net}.py", text)
        write(f"configs/architecture/{net}.yaml", f"# A net.\nname: {net}\nunits: [4]\n")
        data, metric = ("pictures", "accuracy") if "third" in text else ("sequences", "mae")
        return ["--plugins", "own", f"dataset={data}", f"architecture={net}", f"metrics=[{metric}]",
                "trainer.batch_size=32", "optimizer.lr=0.01"]  # fmt: skip

    return words


REAL = [*BOSTON, "evaluation.validation=44", "architecture.dropout=0.3", "trainer.epochs=3"]
"""The run whose update is compiled for all tests of a session that need machine code: 8 whole batches an epoch."""


@pytest.fixture(scope="session")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with the update of `REAL` in it, shared by all workers, and as `log.txt` what the run that compiled it
    said: `auto` had found that it pays."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "libraries"
    folder.mkdir(exist_ok=True)
    runs_dir, log = tmp_path_factory.mktemp("first"), folder / "log.txt"
    with (folder / "lock").open("w") as lock, pytest.MonkeyPatch.context() as patch:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one worker compiles, the others wait
        if not log.exists():
            patch.setenv("DLRUN_CACHE", str(folder))
            patch.setattr("dlrun.choosing.COMPILE_SECONDS", 1e-9)
            assert train(*REAL, f"runs_dir={runs_dir}") == 0
            log.write_text(only_run(runs_dir).log.read_text())
    return folder


@pytest.fixture(autouse=True)
def _code_is_looked_at_anew() -> Iterator[None]:
    """What a test installed is gone after it."""
    yield
    compiler._code_digest.cache_clear()
    registry._entry_points.cache_clear()


@pytest.fixture
def real(project: Path, libraries: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Words of a run whose update is compiled already, in the cache that commands use."""
    monkeypatch.setenv("DLRUN_CACHE", str(libraries))
    return REAL


@pytest.fixture
def copied(real: list[str], project: Path, libraries: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A library of the test's own, to be spoilt: the folder of `update.so` and `facts.json`."""
    (found,) = libraries.glob("*/update.so")
    shutil.copytree(found.parent, project / "libraries" / found.parent.name)
    monkeypatch.setenv("DLRUN_CACHE", str(project / "libraries"))
    return project / "libraries" / found.parent.name


@pytest.fixture
def uncompiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Compilers fail here. Returns the names of the libraries that were to be made."""
    asked: list[str] = []

    def make(self, function, inputs):
        asked.append(self.folder.name)
        raise RuntimeError("no compiler in this test")

    monkeypatch.setattr(Library, "make", make)
    return asked
