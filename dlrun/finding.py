"""From what a user types to a run on disk: a path, a signature (or its first four digits and more),
task/signature, or a task's newest finished run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlrun import registry
from dlrun.errors import ConfigError, Problem, available, nearest
from dlrun.run_folder import RunFolder, all_folders


def find_run(word: str, runs_dir: Path) -> RunFolder:
    """The run that `word` names. Raises ConfigError, naming the runs that are there."""
    for path in (Path(word), runs_dir / word):
        if (path / "config.yaml").exists():
            return RunFolder(path)
    folders = all_folders(runs_dir)
    matches = [f for f in folders if word in (f.path.name, f.path.parent.name)]
    *task, start = word.rsplit("/", 1)
    same = [f for f in folders if not task or f.path.parent.name == task[0]]
    matches = matches or [f for f in same if len(start) >= 4 and f.path.name.startswith(start)]
    if matches:
        return next((f for f in matches if f.read_summary()), matches[0])
    full = {f"{f.path.parent.name}/{f.path.name}" for f in folders}
    known = {f.path.parent.name for f in folders} | {f.path.name for f in folders} | full
    hint = f"{nearest(word, known)} {available(full)}; dlrun runs shows them".strip()
    raise ConfigError(Problem("run", f"no run '{word}' in {runs_dir}", hint))


def find_origin(word: str, runs_dir: Path, seed: int, source: str) -> RunFolder:
    """The run that `init_from` names; of a task's runs the newest finished one of the same seed and source of data,
    where there is one, so that a chain of tasks keeps to its seed. Raises ConfigError."""
    alike = [f for f in all_folders(runs_dir) if f.path.parent.name == word and _is(f.read_summary(), seed, source)]
    try:
        return alike[0] if alike else find_run(word, runs_dir)
    except ConfigError as error:
        (problem,) = error.problems
        task = (registry.CONFIGS / "task" / f"{word}.yaml").is_file()
        hint = f"train it first: dlrun train task={word}" if task else problem.hint
        raise ConfigError(Problem("init_from", problem.message, hint)) from None


def _is(summary: dict[str, Any] | None, seed: int, source: str) -> bool:
    return summary is not None and (summary["seed"], summary["data_source"]) == (seed, source)


def final_weights(folder: RunFolder, which: str = "last", split: str | None = None) -> Path:
    """The weights that stand for a run: the refitted model's, else those of its only split.

    which: `last` or `best`. split: such as `r0f2`, to choose one of several. Raises ConfigError.
    """
    if split is None and folder.weights("refit", "r0f0", "last").exists():
        return folder.weights("refit", "r0f0", "last")
    there = sorted(folder.weights("fit", "x", "x").parent.glob(f"fit-*-{which}.safetensors"))
    names = [path.stem.split("-")[1] for path in there]
    if split is None and len(there) == 1:
        return there[0]
    if split in names:
        return there[names.index(split)]
    if not there:
        raise ConfigError(Problem("run", f"{folder.path} has no {which} weights yet", "is it finished? dlrun runs"))
    problem = f"no split '{split}'" if split else f"{len(there)} models and no refitted one"
    raise ConfigError(Problem("split", f"{folder.path}: {problem}", f"choose one: split=NAME; {available(names)}"))
