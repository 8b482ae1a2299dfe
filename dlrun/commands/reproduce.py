"""a question of the book: its runs over its seeds, then claim beside measurement

  dlrun reproduce NAME… [seeds=0,1,2] [write=true] [strict=true] [key=value …]

NAME is a folder of experiments/; `all` stands for every one; without a name they are listed. Runs what
the question needs through the same code as `dlrun train`: finished runs are not repeated, and an interrupted
reproduce goes on where it was. Then every claim is shown beside the mean over the seeds, its spread
(standard deviation), how many seeds there are, and whether the mean is within the bounds. Other key=value
words go to every run; figures of sample data or of changed tasks are shown and not compared with the book.

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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dlrun import console
from dlrun.claims import Experiment, experiments, read
from dlrun.commands._asked import Asked, parse
from dlrun.commands._words import take
from dlrun.compose import Composer
from dlrun.errors import ConfigError, DlrunError, Interrupted, Preempted, Problem
from dlrun.files import write_text

log = logging.getLogger("dlrun")


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
    return max([_answer(name, experiment, asked, composer) for name, experiment in chosen.items()])


def _check(chosen: dict[str, Experiment], asked: Asked, composer: Composer) -> None:
    """Every run's config, and every README to write, before anything runs. Raises ConfigError with all problems."""
    from dlrun.commands import train
    from dlrun.results_block import results_file

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
    from dlrun import reproducing
    from dlrun.reproducing import Done

    console.say(f"{name}: {experiment.question}")
    seeds = asked.seeds or experiment.seeds
    measured: dict[str, float] = {}
    done: list[Done] = []
    failed: list[str] = []
    if experiment.demo:
        with _going_on(f"demo {experiment.demo}", failed):
            measured = _demo(experiment.demo, Path(asked.runs_dir))
    points = [(run, seed) for run in experiment.runs for seed in seeds]
    for i, (run, seed) in enumerate(points, 1):
        log.info("%s %d/%d: %s seed %d", name, i, len(points), run, seed)
        with _going_on(f"{run} seed {seed}", failed):
            done.append(_run(run, seed, asked, composer))
    judged = reproducing.judge(experiment.claims, done, measured)
    reproducing.show(name, judged, done)
    for line in failed:
        console.say(line)
    broken = [j for j in judged if j.fails]
    holding = sum(j.verdict.startswith("within") for j in judged)
    console.say(f"{name}: claims that hold: {holding}, that do not: {len(broken)}; runs that failed: {len(failed)}")
    if broken and not asked.strict:
        console.say("a claim that does not hold changes no exit code; strict=true makes it 4")
    if asked.write:
        _write(name, asked, judged, done, seeds, failed)
    return 4 if failed or (broken and asked.strict) else 0


@contextmanager
def _going_on(what: str, failed: list[str]) -> Iterator[None]:
    """Show an error and note it in `failed`, so that the next run has its turn; being stopped ends all."""
    try:
        yield
    except (Interrupted, Preempted):
        raise
    except DlrunError as error:
        console.error(error)
        failed.append(f"{what} failed: {(str(error).splitlines() or [''])[0]}")


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
    from dlrun import results_block

    if failed or any(d.summary["data_source"] == "sample" for d in done):
        console.say(f"{name}: README left as it was: {'runs failed' if failed else 'sample data'}")
        return
    readme = results_block.results_file(experiments()[name])
    told = [f"seeds={','.join(map(str, seeds))}", *asked.words] if done else []
    command = " ".join(["dlrun reproduce", name, *told])
    results_block.write_block(readme, results_block.markdown(command, judged, done))
    console.say(f"results written to {readme}")
