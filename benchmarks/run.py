"""Measures dlrun beside other runners and writes the table: `python -m benchmarks.run [PART …]`."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import re
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import augmentation, folds, graphs, growth, imdb, mnist, stacking, startup, sweep
from benchmarks._measure import Result, Row

HERE = Path(__file__).parent
PARTS = ("startup", "imdb", "mnist", "stacking", "folds", "growth", "sweep", "graphs", "augmentation")
OTHERS = ("keras", "jax", "tensorflow", "skorch", "lightning")
BEGIN, END = "<!-- table: written by benchmarks/run.py -->", "<!-- end of table -->"


def main() -> int:
    """Measure the parts asked for; the others keep their last figures. Returns 1 where a target is missed."""
    flags = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    flags.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; all by default")
    flags.add_argument("--rounds", type=int, default=9, help="turns of each contender (default: 9)")
    flags.add_argument("--keras", metavar="PYTHON", help="an environment with the other runners, if not this one")
    flags.add_argument("--threads", type=int, help="CPU cores for every contender (default: all)")
    flags.add_argument(
        "--sleep", action="store_true", help="let waiting threads sleep, as dlrun does on a busy machine"
    )
    given = flags.parse_args()
    if unknown := set(given.parts) - set(PARTS):
        flags.error(f"no part is called {', '.join(unknown)}; there are {', '.join(PARTS)}")
    if given.threads:
        os.sched_setaffinity(0, list(os.sched_getaffinity(0))[: given.threads])
    # All contenders inherit the same; 300,000 rounds are libgomp's own default, and keep dlrun from choosing.
    os.environ |= {"OMP_WAIT_POLICY": "passive"} if given.sleep else {"GOMP_SPINCOUNT": "300000"}
    python = given.keras or sys.executable
    others = _others(python)
    if missing := [name for name in OTHERS if name not in others]:
        print(f"left out: {', '.join(missing)}. pip install 'dlrun[bench]', or --keras PYTHON of another environment")
    keras = python if {"keras", "jax"} <= set(others) else None
    measure = {
        "startup": lambda: startup.run(given.rounds),
        "imdb": lambda: imdb.run(given.rounds, keras),
        "mnist": lambda: mnist.run(given.rounds, keras),
        "stacking": lambda: stacking.run(given.rounds),
        "folds": lambda: folds.run(given.rounds, python, set(others)),
        "growth": lambda: growth.run(given.rounds),
        "sweep": lambda: sweep.run(given.rounds),
        "graphs": lambda: graphs.run(given.rounds),
        "augmentation": lambda: augmentation.run(given.rounds, keras),
    }
    path = HERE / "results.json"
    suffix = (f", {given.threads} core" if given.threads else "") + (", sleeping" if given.sleep else "")
    results: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    for part in given.parts or PARTS:
        result = measure[part]()
        for row in result.rows:
            print(_line(row), flush=True)
        results[part + suffix] = {**_circumstances(others), **_plain(result)}
        path.write_text(json.dumps(results, indent=1) + "\n")
    _write_table(results)
    return int(any(row["met"] is False for part in results.values() for row in part["rows"]))


def _others(python: str) -> dict[str, str]:
    """Versions of the other runners in an environment, without those that it lacks."""
    code = "import importlib.metadata as m, json; print(json.dumps({d.name: d.version for d in m.distributions()}))"
    found = json.loads(subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout)
    versions = {re.sub("[-_]cpu$", "", name): number for name, number in found.items()}  # tensorflow-cpu
    return {name: versions[name] for name in OTHERS if name in versions}


def _circumstances(others: dict[str, str]) -> dict[str, Any]:
    git = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, cwd=HERE)
    packages = [f"{name} {version(name)}" for name in ("dlrun", "torch", "torchvision", "numpy", "hydra-core")]
    packages += [f"{name} {number}" for name, number in others.items()]
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "command": " ".join(["python -m benchmarks.run", *(w for w in sys.argv[1:] if "/" not in w)]),
        "commit": git.stdout.strip(),
        "versions": ", ".join([f"Python {platform.python_version()}", *packages]),
        "cores": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 1),
    }


def _plain(result: Result) -> dict[str, Any]:
    def short(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: short(v) for k, v in value.items()}
        if isinstance(value, list):
            return [short(v) for v in value]
        return float(f"{value:.4g}") if isinstance(value, float) else value

    return {"rows": [vars(row) for row in result.rows], "raw": short(result.raw)}


def _line(row: Row) -> str:
    met = {None: "", True: "met", False: "NOT met"}[row.met]
    return "| " + " | ".join([row.what, row.figures, row.result, row.target, met]) + " |"


def _write_table(results: dict[str, Any]) -> None:
    """Between the markers of README.md, in the order of PARTS; other circumstances after the usual ones."""
    lines = ["| what | measured | median (smallest to largest) | target | |", "|---|---|---|---|---|"]
    parts = sorted(results, key=lambda key: ("," in key, PARTS.index(key.partition(",")[0])))
    for part in parts:
        _, comma, suffix = part.partition(",")
        rows = [Row(**row) for row in results[part]["rows"]]
        lines += [_line(replace(row, what=row.what + comma + suffix)) for row in rows]
    lines += ["", "Measured:"]
    lines += [
        f"- {part}: {r['date']}, commit {r['commit']}, {r['cores']} CPU cores, load at the end {r['load']},"
        f" `{r['command']}`; {r['versions']}"
        for part, r in ((part, results[part]) for part in parts)
    ]
    path = HERE / "README.md"
    text = path.read_text()
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    path.write_text(before + "\n".join([BEGIN, *lines, END]) + after)


if __name__ == "__main__":
    sys.exit(main())
