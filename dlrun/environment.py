"""What a result depends on beside its config: versions, machine, commit, data."""

from __future__ import annotations

import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("dlrun", "torch", "torchvision", "hydra-core", "omegaconf", "pydantic", "rich", "numpy",
            "scikit-learn", "matplotlib", "pooch", "safetensors")  # fmt: skip


def versions() -> dict[str, str]:
    """Installed versions, `not installed` where one is missing."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def git(folder: Path, *parts: str) -> dict[str, Any]:
    """`{"commit", "dirty"}` of the checkout that `folder` is in; empty outside one. parts: what may make it dirty,
    seen from `folder`; by default anything."""
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        return {
            "commit": commit,
            "dirty": bool(_git(folder, "status", "--porcelain", "--untracked-files=no", "--", *parts)),
        }
    except (OSError, subprocess.SubprocessError):
        return {}


def collect(device: str, checksums: dict[str, str]) -> dict[str, Any]:
    """All of `environment.json`."""
    return {
        "versions": versions(),
        "platform": platform.platform(),
        "device": device,
        "command": sys.argv,
        "dlrun": git(Path(__file__).parent, ".", "../configs"),
        "project": git(Path.cwd()),
        "data": checksums,
    }


def _git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, timeout=5, check=True)
    return done.stdout.strip()
