"""compose, check, run, write the run folder

  dlrun train task=T [key=value …] [flags]

A finished run is not repeated, a killed one goes on where it was: the same config has the same signature
and so the same folder, runs/<task>/<signature>/.

Examples
  dlrun train task=imdb_dense                                the task as it is
  dlrun train task=imdb_dense dataset.source=auto            sample data where the real ones can't be had
  dlrun train task=imdb_dense optimizer=adam optimizer.lr=3e-4
  dlrun train task=imdb_dense 'architecture.units=[32,32]' architecture.dropout=0.5
  dlrun train task=imdb_dense evaluation=kfold evaluation.n_splits=5
  dlrun train task=imdb_dense 'callbacks=[checkpoint,early_stopping]' trainer.epochs=50
  dlrun train dataset=mnist architecture=dense               without a task
  dlrun train dataset=csv dataset.path=houses.csv dataset.target=price      a table of your own
  dlrun train -m task=imdb_dense 'architecture.units=[4,4],[16,16]' seed=0,1,2      a sweep: six runs
  dlrun train -m hydra/launcher=stacked task=imdb_dense optimizer.lr=1e-4,1e-3      two runs, trained as one

Keys
  task=NAME            a recipe: dlrun list task
  seed=0               of weights, shuffling and splits
  runs_dir=runs        where run folders go
  rerun=true           run again; the old folder is kept under a numbered name
  init_from=RUN        start from the weights of another run
  dataset= architecture= loss= metrics=[…] optimizer= schedule= step= evaluation= callbacks=[…] guards=[…]
  dataset=csv dataset.path=FILE dataset.target=COLUMN      a table of your own: docs/data.md
  baselines=[…]        what each offers: dlrun list GROUP; [] for none
  acknowledge=[…]      guards whose warnings are meant: dlrun list guards
  trainer.epochs= .batch_size= .eval_batch_size= .steps_per_epoch= .device= .precision= .plots=
  trainer.plot_smoothing=0.8     curves as moving averages, as in the book's section 5.3.2
  trainer.compile=auto           the whole update as machine code: auto (where it pays), always, never
  evaluation.stack=auto          folds and repeats as one stack: auto, always, never; .stack_size= the most
  step.clipnorm= .clipvalue=     bounds on gradients
  hydra/launcher=stacked         with -m: jobs that differ in numbers only are trained as one

Flags
  -m, --multirun       run every combination of comma-separated values
  -q, --quiet          print errors only
  --config-dir DIR     more configs: DIR/task/mine.yaml, DIR/optimizer/mine.yaml, …
  --plugins DIR        more components: DIR/datasets/x.py, DIR/architectures/y.py, … (their code is trusted)
  --cfg job|hydra|all  print the composed config and stop; with --resolve, --package KEY
  --info WHAT          what Hydra did: all, config, defaults, defaults-tree, plugins, searchpath
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NoReturn

from dlrun import registry
from dlrun.compose import Composer, sweep_points
from dlrun.errors import ConfigError, Problem


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ConfigError(Problem("", message, "dlrun train --help"))


def parser() -> argparse.ArgumentParser:
    """The flags of `train`; everything else is a word for Hydra."""
    flags = _Parser(prog="dlrun train", add_help=False, allow_abbrev=False)
    flags.add_argument("words", nargs="*")
    flags.add_argument("-m", "--multirun", action="store_true")
    flags.add_argument("-cd", "--config-dir", action="append", default=[])
    flags.add_argument("--plugins", action="append", default=[])
    flags.add_argument("-c", "--cfg", choices=["job", "hydra", "all"])
    flags.add_argument("-p", "--package")
    flags.add_argument("--resolve", action="store_true")
    shown = ["all", "config", "defaults", "defaults-tree", "plugins", "searchpath"]
    flags.add_argument("-i", "--info", nargs="?", const="all", choices=shown)
    return flags


def main(words: list[str]) -> int:
    """Train; returns the exit code."""
    flags = parser().parse_intermixed_args(words)
    composer = composer_for(flags.config_dir, flags.plugins)
    checked = check(composer, flags.words, flags.multirun)
    if flags.cfg == "job" and not flags.multirun:
        print(composer.compose(flags.words).to_yaml(flags.package, flags.resolve))
        return 0
    if flags.cfg:
        composer.hydra.show_cfg("config", flags.words, flags.cfg, flags.package, flags.resolve)
        return 0
    if flags.info:
        composer.hydra.show_info(flags.info, "config", flags.words)
        return 0
    if flags.multirun:
        from dlrun.sweeping import sweep

        return sweep(composer, flags.words, registry.plugin_dirs())
    return train(checked, flags.words)


def composer_for(config_dirs: list[str], plugins: list[str]) -> Composer:
    """Hydra's search path with the user's folders; a plugin folder may bring `configs/` of its own."""
    for folder in plugins:
        registry.add_plugins(folder)
    bundled = [d / "configs" for d in registry.plugin_dirs() if (d / "configs").is_dir()]
    return Composer([*(Path(d) for d in config_dirs), *bundled])


def check(composer: Composer, words: list[str], sweeping: bool) -> Any:
    """Compose and check everything that a command line says; a sweep has every value looked at once.

    Returns the RunConfig of the first point. Raises ConfigError with all problems, before any data is read.
    """
    from dlrun.config import parse
    from dlrun.origins import with_origins

    problems: dict[tuple[str, str], Problem] = {}
    first = None
    for point in sweep_points(words) if sweeping else [words]:
        composed = composer.compose(point)
        config, found = parse(composed.config, composed.choices.get("task"))
        if config is not None:
            found += _fits(config)
        found = composed.problems + with_origins(found, composer, composed, point)
        problems |= {(p.path, p.message): p for p in found}
        first = first or config
    if problems:
        raise ConfigError(problems.values())
    return first


def train(config: Any, words: list[str]) -> int:
    """Run one config and show what came out."""
    from dlrun.reporting import report
    from dlrun.runner import run

    summary = run(config, words)
    report(summary, Path(config.runs_dir))
    return 0


def _fits(config: Any) -> list[Problem]:
    from dlrun.assembly import assemble

    try:
        assemble(config)
    except ConfigError as error:
        return error.problems
    return []
