"""datasets: where their files are, fetching and checking them, and what the rows look like

  dlrun data list [NAME…]
  dlrun data fetch NAME…
  dlrun data check [NAME…]
  dlrun data card NAME [key=value …] [output=FILE.png]
      each with [--plugins DIR]; card with [--config-dir DIR]

list    every dataset and its files, with their bytes: cached, in a mirror (a folder), or missing.
fetch   bring all files of these datasets into the cache (DLRUN_DATA), from the mirrors (DLRUN_MIRROR) or the
        official address; each is checked by its SHA-256.
check   hash the files; exit code 3 if one is wrong or missing. Without a name: whatever is in the cache.
card    shapes, types, ranges (one for each column that has a name), class counts and three rows.
        The keys are the dataset's own (source=sample); output= writes a sheet of 25 pictures with their
        labels, where the rows are pictures.

Examples
  dlrun data list
  dlrun data fetch mnist imdb                          on a machine that has internet
  DLRUN_MIRROR=/data/mirror dlrun data fetch mnist     or from a folder
  dlrun data check
  dlrun data card imdb num_words=500 source=sample
  dlrun data card mnist output=mnist.png
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlrun import cards, console, sheets
from dlrun.commands._words import split_plugins, take
from dlrun.errors import ConfigError, DataError, Problem, available, nearest

ACTIONS = ("list", "fetch", "check", "card")


def main(words: list[str]) -> int:
    """Do what the first word says."""
    folders, rest = take(split_plugins(words), "--config-dir")
    action, *rest = rest or [""]
    if action not in ACTIONS:
        hint = f"{nearest(action, ACTIONS)} dlrun data --help".strip()
        received = f"'{action}'" if action else "none"
        raise ConfigError(Problem("", f"expected {', '.join(ACTIONS)}; received {received}", hint))
    names = [w for w in rest if "=" not in w and not w.startswith("-")]
    keys = [w for w in rest if w not in names]
    if action == "card":
        return _card(names, keys, folders)
    if keys or folders:
        raise ConfigError(Problem(keys[0] if keys else "--config-dir", f"dlrun data {action} takes names only"))
    return {"list": _list, "fetch": _fetch, "check": _check}[action](names)


def _list(names: list[str]) -> int:
    from dlrun.datasets._files import cache_folder, mirrors

    rows: list[list[Any]] = []
    bytes_of: dict[str, int] = {}
    for name in cards.known(names):
        what = _what(name)
        for file in cards.files_of(name):
            state = cards.state(file)
            bytes_of[state] = bytes_of.get(state, 0) + file.bytes
            rows.append([name, file.name, f"{file.bytes:,}", state, what])
            what = what if not console.out.is_terminal else ""  # once is enough for a person
        if not cards.files_of(name):
            rows.append([name, "-", "-", cards.without_files(name), what])
    columns = ["dataset", "file", "bytes", "state", "what it is"]
    console.table(columns, rows, right=["bytes"], whole=["dataset", "file", "state"], optional=["what it is"])
    if console.out.is_terminal:
        parts = [f"{count / 1e6:,.1f} MB {state}" for state, count in bytes_of.items()]
        console.say(f"{sum(bytes_of.values()) / 1e6:,.1f} MB in all: {', '.join(parts) or 'none'}")
        console.say(f"cache: {cache_folder()}; mirrors: {', '.join(mirrors()) or 'none'}")
    return 0


def _what(name: str) -> str:
    from dlrun import registry

    return registry.describe("dataset", name)


def _fetch(names: list[str]) -> int:
    from dlrun.datasets._files import fetch

    if not names:
        raise ConfigError(Problem("", "expected names of datasets", available(cards.known([]))))
    problems, rows = [], []
    for name in cards.known(names):
        for file in cards.files_of(name):
            before = cards.state(file)
            try:
                fetch(file)
            except DataError as error:
                problems.append(str(error))
            else:
                rows.append([name, file.name, f"{file.bytes:,}", "was there" if before == "cached" else "fetched"])
        if not cards.files_of(name):
            rows.append([name, "-", "-", f"{cards.without_files(name)}: nothing to fetch"])
    console.table(["dataset", "file", "bytes", "state"], rows, right=["bytes"], whole=["dataset", "file"])
    if problems:
        raise DataError("\n\n".join(problems))
    return 0


def _check(names: list[str]) -> int:
    chosen = [(name, cards.files_of(name)) for name in cards.known(names)]
    if not names:
        there = [(name, tuple(f for f in files if f.path.exists())) for name, files in chosen]
        chosen = [(name, files) for name, files in there if files]
    rows, problems = [], []
    for name, files in chosen:
        for file in files:
            problem = cards.checked(file)
            verdict = ("wrong" if file.path.exists() else "missing") if problem else "right"
            rows.append([name, file.name, f"{file.bytes:,}", verdict])
            problems += [f"{file.path}: {problem}"] if problem else []
        if not files:
            rows.append([name, "-", "-", f"{cards.without_files(name)}: nothing to check"])
    if not rows:
        console.say("no dataset has files in the cache: dlrun data list")
        return 0
    console.table(["dataset", "file", "bytes", "state"], rows, right=["bytes"], whole=["dataset", "file"])
    if problems:
        again = sorted({row[0] for row in rows if row[3] in ("wrong", "missing")})
        count = f"{len(problems)} of {len(rows)} files wrong or missing"
        raise DataError("\n".join([f"{count}; mend by: dlrun data fetch {' '.join(again)}", *problems]))
    return 0


def _card(names: list[str], keys: list[str], folders: list[str]) -> int:
    outputs = [key.partition("=")[2] for key in keys if key.startswith("output=")]
    keys = [key for key in keys if not key.startswith("output=")]
    path = Path(outputs[-1]) if outputs else None
    if len(names) != 1:
        received = " ".join(names) or "none"
        raise ConfigError(Problem("", f"expected the name of one dataset, received {received}", "dlrun data list"))
    if path:
        sheets.check("output", path)
    name, dataset = names[0], _dataset(names[0], keys, folders)
    pictures = sheets.picture(dataset.spec)
    if path and not pictures:
        inputs = ", ".join(f"{n} {i.shape}" for n, i in dataset.spec.inputs.items())
        raise ConfigError(Problem("output", f"the rows of {name} are no pictures: {inputs}", "leave output= out"))
    from dlrun.showing import card

    data = dataset.load()
    sample = data.source == "sample"
    console.table(
        ["part", "what it holds"], card(dataset, data, columns=True), f"Data · {name}", whole=["part"], sample=sample
    )
    if path and pictures:
        count = cards.sheet(data, pictures, path, f"{name}, training rows{' · SAMPLE DATA' if sample else ''}")
        console.say(f"{count} pictures: {path}")
    return 0


def _dataset(name: str, keys: list[str], folders: list[str]) -> Any:
    """The dataset as `dlrun train dataset=NAME` would build it. Raises ConfigError with all that is wrong."""
    from dlrun import registry
    from dlrun.commands.train import composer_for
    from dlrun.config import parse
    from dlrun.origins import with_origins

    composer = composer_for(folders, [])
    words = [f"dataset={name}", *(f"dataset.{key.removeprefix('dataset.')}" for key in keys)]
    composed = composer.compose(words)
    config, found = parse(composed.config)
    found = [p for p in found if p.path.partition(".")[0] == "dataset"]
    problems = composed.problems + with_origins(found, composer, composed, words)
    if config is None or config.dataset is None or problems:
        raise ConfigError(problems)
    return registry.load("dataset", config.dataset.name)(**config.dataset.args)
