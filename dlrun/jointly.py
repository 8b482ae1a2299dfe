"""Several runs trained as one: which may be, and doing it. Each keeps its own folder, and gets what it would alone.

Runs fit together when they differ only in what may be a tensor with one value for each model of a stack: the seed,
the optimizer's numbers, and the numbers that layers name in their `settings`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from dlrun import device as devices
from dlrun import fitting, grouping
from dlrun.assembly import Parts, assemble
from dlrun.config import RunConfig
from dlrun.contracts import Rows, Split
from dlrun.errors import BusyError, ConfigError, DataError, DlrunError, Interrupted, Preempted, RunError
from dlrun.grouping import Member
from dlrun.loaders import to_device
from dlrun.runner import Run, opening, surroundings
from dlrun.stack import why_not

log = logging.getLogger("dlrun")

APART = ("task", "seed", "runs_dir", "rerun", "acknowledge", "guards", "baselines", "architecture", "optimizer")
"""Keys that may differ, or are compared in another way."""

Result = dict[str, Any] | DlrunError
"""A summary, or why there is none."""


def kind(config: RunConfig, parts: Parts) -> str | None:
    """What runs that can be trained as one have in common, as a text; None for one that can't."""
    rule, evaluation = parts.optimizer.rule, parts.evaluation
    follows_one = parts.schedule().unstackable and evaluation.folds * evaluation.n_repeats > 1
    if rule is None or evaluation.stack == "never" or follows_one:
        return None
    if why_not(parts.probe, {"optimizer": parts.optimizer.unstackable}):
        return None
    plain = config.to_dict()
    rest = {key: value for key, value in plain.items() if key not in APART}
    optimizer = {key: value for key, value in plain["optimizer"].items() if key not in rule.numbers}
    return json.dumps([rest, optimizer, sorted(rule.numbers), structure(parts.probe)], sort_keys=True, default=str)


def structure(model: nn.Module) -> list[Any]:
    """Everything about a model but its weights and its layers' settings."""
    found = []
    for name, layer in model.named_modules():
        varied = getattr(layer, "settings", ())
        plain = {k: v for k, v in vars(layer).items() if not k.startswith("_") and k not in varied}
        tensors = [*layer.named_parameters(recurse=False), *layer.named_buffers(recurse=False)]
        shapes = [(n, tuple(t.shape), t.requires_grad) for n, t in tensors]
        found.append([name, type(layer).__qualname__, shapes, {k: _told(v) for k, v in plain.items()}])
    return found


def _told(value: Any) -> str:
    """What is plain data in full, of anything else its kind."""
    plain = isinstance(value, int | float | str | bool | None | tuple | list | dict)
    return repr(value if plain else type(value))


def sorted_out(configs: Sequence[RunConfig]) -> list[list[int]]:
    """Places of the runs that can be trained as one; such as fit with no other are alone."""
    kinds: dict[str, list[int]] = {}
    for i, config in enumerate(configs):
        kinds.setdefault(kind(config, assemble(config)) or f"alone {i}", []).append(i)
    return list(kinds.values())


@dataclass
class Opened:
    """A run that is being worked on. context: of its open folder. splits: all of them. jobs: begun so far."""

    run: Run
    context: AbstractContextManager[Any]
    splits: list[Split] = field(default_factory=list)
    warnings: dict[str, list[str]] = field(default_factory=dict)
    jobs: int = 0


def run_together(configs: Sequence[RunConfig], words: Sequence[list[str]]) -> list[Result]:
    """Run, resume or find finished, all of one `kind`; a result for each. One that fails does not stop the others.
    Raises Preempted and Interrupted."""
    results: dict[int, Result] = {}
    opened: dict[int, Opened] = {}
    same: dict[Path, int] = {}
    twins: dict[int, int] = {}
    try:
        for i, (config, said) in enumerate(zip(configs, words, strict=True)):
            with _kept(results, i):
                run, context = opening(config, said)
                twins[i] = same.setdefault(run.folder.path, i)
                if twins[i] == i and (finished := context.__enter__()):
                    context.__exit__(None, None, None)
                    results[i] = finished
                elif twins[i] == i:
                    opened[i] = Opened(run, context)
        if opened:
            with devices.memory_explained():
                _work(opened, results)
    except BaseException as error:
        for one in reversed(opened.values()):
            one.context.__exit__(type(error), error, error.__traceback__)
        if not isinstance(error, DlrunError) or isinstance(error, Preempted | Interrupted):
            raise
        for i in opened:
            results.setdefault(i, error)
    else:
        for i, one in reversed(opened.items()):
            result = results[i]
            failed = result if isinstance(result, DlrunError) else None
            one.context.__exit__(type(failed) if failed else None, failed, None)
    return [results[twins.get(i, i)] for i in range(len(configs))]


def _work(opened: dict[int, Opened], results: dict[int, Result]) -> None:
    first = next(iter(opened.values())).run
    data = first.parts.dataset.load()
    rows, around = to_device(data.train, first.device), surroundings(first.device, data)
    for i, one in opened.items():
        with _kept(results, i):
            one.run.begin(data, around)
            one.splits = one.run.splits(data)
            one.warnings = one.run.guard(data, one.splits, aloud=one.run is first)
    for alike in _alike(opened, results):
        _fit(alike, results, rows)
    for i, one in opened.items():
        if i not in results:
            with _kept(results, i):
                results[i] = one.run.finish(data, rows, one.splits, one.warnings, one.jobs)


def _alike(opened: dict[int, Opened], results: dict[int, Result]) -> list[dict[int, Opened]]:
    """Runs that stand at the same point, which after a restart may not be that of the others, and that came there
    together: a stack of others would give the same but for rounding."""
    found: dict[str, dict[int, Opened]] = {}
    for i, one in opened.items():
        if i not in results:
            state = one.run.progressed.state
            fit = state["fit"]
            at = [state["job"], fit and [fit["done"], fit["batch"]], state.get("groups"), state.get("with")]
            found.setdefault(json.dumps(at), {})[i] = one
    return list(found.values())


def _fit(opened: dict[int, Opened], results: dict[int, Result], rows: Rows) -> None:
    """The stage fit of runs that stand at the same point."""
    owners = {id(one.run): i for i, one in opened.items()}
    groups = _groups(list(opened.values()), rows)
    for place, group in enumerate(groups):
        shares = []
        for i, one in opened.items():
            splits = [split for share, split in group if owners[id(share.run)] == i]
            if splits and i not in results:
                shares.append(fitting.Share(one.run, one.jobs, one.run.fit_job(splits)))
                one.jobs += 1
        shares = [share for share in shares if share.number >= share.run.progressed.state["job"]]
        if not shares:
            continue
        for share in shares:
            share.run.progressed.state["with"] = [other.run.folder.path.name for other in shares]
        alike = sum(len(other) == len(group) for other in groups[place + 1 :])
        for share, fit in zip(shares, fitting.train(shares, rows, alike), strict=True):
            if fit.failed:
                results[owners[id(share.run)]] = fit.failed


def _groups(opened: list[Opened], rows: Rows) -> list[list[Member]]:
    shares = [fitting.Share(one.run, 0, one.run.fit_job(one.splits)) for one in opened]
    saved = opened[0].run.progressed.state.get("groups")
    if saved:
        return [[(s, split) for s in shares for split in s.job.splits if split.name in names] for names in saved]
    found = grouping.grouped(shares, rows, compared=False)
    assert not isinstance(found, str)
    for one in opened:
        named = [[split.name for share, split in group if share.run is one.run] for group in found]
        one.run.progressed.state["groups"] = [names for names in named if names]
    return found


@contextmanager
def _kept(results: dict[int, Result], i: int) -> Iterator[None]:
    """An error that is one run's own is its result."""
    try:
        yield
    except (ConfigError, DataError, RunError, BusyError) as error:
        results[i] = error
