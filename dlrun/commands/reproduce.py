"""a question of the book: its runs over its seeds, then claim beside measurement

  dlrun reproduce NAME… [seeds=0,1,2] [write=true] [strict=true] [key=value …]

NAME is a folder of experiments/; `all` stands for every one; without a name they are listed. Runs what the
question needs through the same code as `dlrun train`: finished runs are not repeated, and an interrupted
reproduce goes on where it was. Then every claim is shown beside the mean over the seeds, its spread
(standard deviation), how many seeds there are, and whether the mean is within the bounds. Other key=value words go to
every run; figures of sample data or of changed tasks are shown and not compared with the book.

Exit code: 0 when all ran, whatever the verdicts; 4 when a run failed (the others run all the same). With
strict=true a claim that does not hold is 4 too.

Examples
  dlrun reproduce                                   the questions
  dlrun reproduce imdb                              both tasks, three seeds each
  dlrun reproduce imdb reuters seeds=0 trainer.device=cpu
  dlrun reproduce all dataset.source=sample trainer.epochs=1      does everything run?
  dlrun reproduce tensor_ops write=true             results into experiments/tensor_ops/README.md

Keys
  seeds=0,1,2          instead of the experiment's own
  runs_dir=runs        where run folders go; a demo's files go to <runs_dir>/demos/<name>/
  write=false          true: renew the results block of experiments/NAME/README.md, in a checkout
  strict=false         true: exit code 4 when a claim does not hold
  --config-dir DIR, --plugins DIR    as in dlrun train
"""

from __future__ import annotations

import importlib
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlrun import console
from dlrun.claims import Experiment, experiments, read, why_not
from dlrun.commands._words import take
from dlrun.compose import Composer
from dlrun.errors import ConfigError, DlrunError, Interrupted, Preempted, Problem, available, nearest
from dlrun.files import write_text

log = logging.getLogger("dlrun")
OPTIONS = {"seeds": "", "runs_dir": "runs", "write": "false", "strict": "false"}


@dataclass(frozen=True)
class Asked:
    """A command line. seeds: empty for the experiment's own. words: what goes to every run."""

    names: list[str]
    seeds: list[int]
    runs_dir: str
    write: bool
    strict: bool
    words: list[str]


def main(words: list[str]) -> int:
    """Run the questions one after another; returns the exit code."""
    from dlrun.commands.train import composer_for

    plugins, rest = take(words, "--plugins")
    dirs, rest = take(rest, "--config-dir")
    asked = parse(rest)
    found = {name: read(folder) for name, folder in experiments().items()}
    if not asked.names:
        rows = [[name, e.question, len(e.runs) * len(e.seeds), len(e.claims)] for name, e in found.items()]
        console.table(
            ["experiment", "question", "runs", "claims"], rows, right=["runs", "claims"], whole=["experiment"]
        )
        return 0
    chosen = {name: found[name] for name in (found if "all" in asked.names else dict.fromkeys(asked.names))}
    composer = composer_for(dirs, plugins)
    _check(chosen, asked, composer)
    outcomes = [_answer(name, experiment, asked, composer) for name, experiment in chosen.items()]
    if len(outcomes) > 1:
        console.say(f"{len(outcomes)} experiments: {', '.join(chosen)}")
    return max(outcomes)


def parse(words: list[str]) -> Asked:
    """The words as names, options and overrides. Raises ConfigError with every wrong one."""
    known = [*experiments(), "all"]
    values, names, overrides = dict(OPTIONS), [], []
    problems: list[Problem] = []
    for word in words:
        key, equals, value = word.partition("=")
        if key in OPTIONS and equals:
            values[key] = value
        elif key in ("task", "seed"):
            hint = "seeds=0,1,2 chooses the seeds; dlrun train runs a single task"
            problems.append(Problem(key, "set by the experiment", hint))
        elif equals or word.startswith(("+", "~")):
            overrides.append(word)
        elif word.startswith("-"):
            problems.append(Problem(word, "no such flag", "dlrun reproduce --help"))
        elif word in known:
            names.append(word)
        else:
            hint = f"{nearest(word, known)} {available(known)}".strip()
            problems.append(Problem("", f"no experiment is called '{word}'", hint))
    for key in ("write", "strict"):
        if values[key] not in ("true", "false"):
            problems.append(Problem(key, f"expected true or false, received '{values[key]}'"))
    seeds = [s.strip() for s in values["seeds"].strip("[]").split(",") if s.strip()]
    if wrong := [s for s in seeds if not s.isdecimal()]:
        problems.append(Problem("seeds", f"expected whole numbers such as 0,1,2, received '{', '.join(wrong)}'"))
    if values["write"] == "true" and why_not(overrides, "real"):
        message = f"results of runs {why_not(overrides, 'real')} are not written into a README"
        problems.append(Problem("write", message, "leave the changes out"))
    if problems:
        raise ConfigError(problems)
    numbers = list(dict.fromkeys(int(s) for s in seeds))
    return Asked(names, numbers, values["runs_dir"], values["write"] == "true", values["strict"] == "true", overrides)


def _check(chosen: dict[str, Experiment], asked: Asked, composer: Composer) -> None:
    """Every run's config, and every README to write, before anything runs. Raises ConfigError with all problems."""
    from dlrun.commands import train
    from dlrun.reproducing import results_file

    problems: dict[tuple[str, str], Problem] = {}
    for task in dict.fromkeys(run for experiment in chosen.values() for run in experiment.runs):
        try:
            train.check(composer, [f"task={task}", f"runs_dir={asked.runs_dir}", *asked.words], False)
        except ConfigError as error:
            problems |= {(p.path, p.message): p for p in error.problems}
    if problems:
        raise ConfigError(problems.values())
    for name in chosen if asked.write else []:
        results_file(experiments()[name])


def _answer(name: str, experiment: Experiment, asked: Asked, composer: Composer) -> int:
    """Run one question and show its table; returns the exit code."""
    from dlrun import reproducing as r

    console.say(f"{name}: {experiment.question}")
    measured = _demo(experiment.demo, Path(asked.runs_dir)) if experiment.demo else {}
    seeds = asked.seeds or experiment.seeds
    done: list[r.Done] = []
    failed: list[str] = []
    points = [(run, seed) for run in experiment.runs for seed in seeds]
    for i, (run, seed) in enumerate(points, 1):
        log.info("%s %d/%d: %s seed %d", name, i, len(points), run, seed)
        try:
            done.append(_run(run, seed, asked, composer))
        except (Interrupted, Preempted):
            raise
        except DlrunError as error:
            console.error(error)
            failed.append(f"{run} seed {seed} failed: {(str(error).splitlines() or [''])[0]}")
    judged = r.judge(experiment.claims, done, measured)
    r.show(name, judged, done)
    for line in failed:
        console.say(line)
    broken = [j for j in judged if j.fails]
    holding = sum(j.verdict.startswith("within") for j in judged)
    console.say(f"{name}: {holding} claims hold, {len(broken)} do not, {len(failed)} runs failed")
    if broken and not asked.strict:
        console.say("a claim that does not hold changes no exit code; strict=true makes it 4")
    if asked.write:
        _write(name, asked, judged, done, seeds, failed)
    return 4 if failed or (broken and asked.strict) else 0


def _run(task: str, seed: int, asked: Asked, composer: Composer) -> Any:
    from dlrun.commands import train
    from dlrun.reporting import headline
    from dlrun.reproducing import Done
    from dlrun.run_folder import RunFolder
    from dlrun.runner import run

    words = [f"task={task}", f"seed={seed}", f"runs_dir={asked.runs_dir}", *asked.words]
    summary = run(train.check(composer, words, False), words)
    log.info("%s seed %d: %s", task, seed, headline(summary))
    return Done(task, seed, RunFolder(Path(asked.runs_dir) / task / summary["signature"]), summary, words)


def _demo(name: str, runs_dir: Path) -> dict[str, float]:
    """Run a demo, which prints what it does; its values, also left in `results.json` of its folder."""
    folder = runs_dir / "demos" / name
    values: dict[str, float] = importlib.import_module(f"dlrun.demos.{name}").run(folder)
    write_text(folder / "results.json", json.dumps(values, indent=2) + "\n")
    console.say(f"files: {folder}/")
    return values


def _write(name: str, asked: Asked, judged: Any, done: Any, seeds: list[int], failed: list[str]) -> None:
    """Renew the results block of a README, unless there are none to put there."""
    from dlrun import reproducing as r

    if failed or any(d.summary["data_source"] == "sample" for d in done):
        console.say(f"{name}: README left as it was: {'runs failed' if failed else 'sample data'}")
        return
    readme = r.results_file(experiments()[name])
    told = [f"seeds={','.join(map(str, seeds))}", *asked.words] if done else []
    r.write_block(readme, r.markdown(" ".join(["dlrun reproduce", name, *told]), judged, done))
    console.say(f"results written to {readme}")
