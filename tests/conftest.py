"""What all tests share. No test touches the user's cache, run folders or logging."""

from __future__ import annotations

import logging
import os
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _quiet_logger() -> Iterator[None]:
    loggers = logging.getLogger("dlrun"), logging.getLogger()  # Hydra's --info sets up the second
    before = [(list(log.handlers), log.level, log.propagate) for log in loggers]
    yield
    for log, state in zip(loggers, before, strict=True):
        log.handlers, log.level, log.propagate = state


@pytest.fixture
def mirror() -> Path:
    """The folder of real data files; the test is skipped where there is none."""
    folder = os.environ.get("DLRUN_MIRROR", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("needs real data: set DLRUN_MIRROR to a mirror folder")
    return Path(folder)


@pytest.fixture
def people(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`project` with the dataset of `_people`, for `--plugins own`."""
    from _people import FILES

    from dlrun import registry

    monkeypatch.setattr(registry, "_plugin_dirs", [])
    for name, text in FILES.items():
        file = project / "own" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text).lstrip())
    return project


@pytest.fixture
def project(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to run commands in, with a data cache of its own, where stacks are never found to be slower.
    What is compiled is kept for the tests that follow."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DLRUN_DATA", str(tmp_path / "cache"))
    monkeypatch.setenv("DLRUN_CACHE", str(tmp_path_factory.getbasetemp() / "compiled"))
    monkeypatch.setattr("dlrun.grouping.CLEARLY", 1e9)
    monkeypatch.setattr("dlrun.choosing._given_up", set())
    monkeypatch.delenv("DLRUN_MIRROR", raising=False)
    return tmp_path
