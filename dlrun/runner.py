"""One run from config to summary. The only file that knows every part."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dlrun import device as devices
from dlrun import environment, ledger, lifecycle, signals, summary
from dlrun.assembly import Parts, assemble
from dlrun.checkpoint import load_state, load_weights, save_state, save_weights
from dlrun.config import RunConfig
from dlrun.contracts import Callback, Data, Rows, Split
from dlrun.errors import DlrunError, RunError
from dlrun.files import write_text
from dlrun.finding import final_weights, find_run
from dlrun.loaders import Loader, to_device
from dlrun.progress import Progress
from dlrun.run_folder import RunFolder
from dlrun.seeds import derive
from dlrun.signals import StopOnSignal
from dlrun.stack import Single
from dlrun.stack import assemble as ensemble
from dlrun.trainer import Fit, evaluate

log = logging.getLogger("dlrun")


@dataclass(frozen=True)
class Job:
    """Splits trained in one go, as a stack when there are several. stage: `fit` or `refit`."""

    stage: str
    splits: list[Split]
    epochs: int


def run(config: RunConfig, overrides: list[str]) -> dict[str, Any]:
    """Run, resume, or find finished; returns the summary. Raises DlrunError."""
    parts = assemble(config)
    device = devices.pick(config.trainer.device)
    config = config.with_source(parts.dataset.resolve_source())
    origin = find_run(config.init_from, Path(config.runs_dir)) if config.init_from else None
    more = {"init_from": origin.path.name} if origin else {}
    folder = RunFolder(Path(config.runs_dir) / config.task / config.signature(**more))
    with lifecycle.opened(folder, config, overrides) as finished:
        if finished:
            log.info("finished before: %s (rerun=true runs it again)", folder.path)
            return finished
        for warning in parts.warnings:
            log.warning("%s", warning)
        with memory_explained():
            return Run(config, overrides, parts, folder, device, origin).run()


class Run:
    """The stages of one run: fit, refit, test."""

    def __init__(
        self,
        config: RunConfig,
        overrides: list[str],
        parts: Parts,
        folder: RunFolder,
        device: torch.device,
        origin: RunFolder | None,
    ):
        self.config, self.overrides, self.parts, self.folder, self.device = config, overrides, parts, folder, device
        self.initial = load_weights(final_weights(origin)) if origin else None
        self.dtype = devices.DTYPES[config.trainer.precision]
        self.started = time.monotonic()
        self.state: dict[str, Any] = {"job": 0, "fit": None, "seconds": 0.0, "epochs": 0, "metrics_bytes": 0}

    def run(self) -> dict[str, Any]:
        """All stages; returns the summary."""
        data = self.parts.dataset.load()
        found = environment.collect(devices.describe(self.device), data.checksums)
        write_text(self.folder.environment, json.dumps(found, indent=2) + "\n")
        self.resume()
        train = to_device(data.train, self.device)
        targets = next(iter(data.train.targets.values())).numpy()
        scale = len(data.train) / data.spec.rows["train"] if data.spec.rows else 1.0
        splits = self.parts.evaluation.splits(targets, self.config.seed, scale)
        jobs = [Job("fit", group, self.config.trainer.epochs) for group in self.group(splits)]
        for number, job in enumerate(jobs):
            self.job(number, job, train)
        if self.parts.evaluation.refit:
            everything = Split(0, 0, np.arange(len(targets)), np.arange(0))
            self.job(len(jobs), Job("refit", [everything], self.refit_epochs()), train)
        tested = self.test(data) if self.parts.evaluation.test else None
        result = summary.make(
            self.config, self.overrides, self.parts, data, splits, self.folder, tested,
            seconds=self.seconds(), epochs=self.state["epochs"], device=devices.describe(self.device),
        )  # fmt: skip
        summary.write(self.folder, result, self.config.trainer.plots)
        return result

    def resume(self) -> None:
        """Go on from the saved state, if there is one; the history is cut back to it."""
        saved = load_state(self.folder.state)
        if saved:
            self.state = saved
            log.info("resuming %s", self.folder.path)
        self.folder.cut_rows(self.state["metrics_bytes"])

    def group(self, splits: list[Split]) -> list[list[Split]]:
        """Which splits are trained as one: those with equally many updates, unless told or unable."""
        wanted = self.parts.evaluation.stack
        reason = self.parts.unstackable
        if wanted == "never" or reason or len(splits) == 1:
            if reason and len(splits) > 1:
                log.info("splits train one after another: %s", reason)
            return [[split] for split in splits]
        groups: dict[int, list[Split]] = {}
        for split in splits:
            groups.setdefault(-(-len(split.train) // self.config.trainer.batch_size), []).append(split)
        log.info("splits train as one: %s", " + ".join(f"stack of {len(g)}" for g in groups.values()))
        return list(groups.values())

    def job(self, number: int, job: Job, train: Rows) -> None:
        """Train one group of splits, unless it was done before a restart."""
        if number < self.state["job"]:
            return
        seed = self.config.seed
        objectives = [
            self.parts.objective(derive(seed, job.stage, "init", s.repeat, s.fold), self.dtype, self.device)
            for s in job.splits
        ]
        if self.initial is not None:
            for objective in objectives:
                load_into(objective.model, self.initial)
        step = self.parts.step(ensemble(objectives), self.parts.optimizer)
        trainer = self.config.trainer
        spec = self.parts.spec
        loader = Loader(
            train, spec, [s.train for s in job.splits], trainer.batch_size, self.dtype,
            [derive(seed, job.stage, "shuffle", s.repeat, s.fold) for s in job.splits], trainer.steps_per_epoch,
        )  # fmt: skip
        validates = all(len(s.val) for s in job.splits)
        val = (
            Loader(train, spec, [s.val for s in job.splits], trainer.eval_batch_size, self.dtype) if validates else None
        )
        many = self.parts.evaluation.folds * self.parts.evaluation.n_repeats > 1 and job.stage == "fit"
        names = [f"{job.stage} {s.name}" if many else job.stage for s in job.splits]
        title = names[0] if len(names) == 1 else f"{job.stage} {len(names)} models"
        recorder, progress = Recorder(self, job), Progress(title, loader.steps, self.folder)
        observers = [recorder, progress, StopOnSignal()]
        fit = Fit(step, loader, val, job.epochs, names, self.parts.callbacks(), observers, recorder.save)
        torch.manual_seed(derive(seed, job.stage, number))
        if self.state["fit"]:
            fit.load_state_dict(self.state["fit"])
        try:
            fit.run()
        finally:
            progress.close()
        for split, last in zip(job.splits, fit.final, strict=True):
            assert last is not None
            save_weights(self.folder.weights(job.stage, split.name, "last"), last)
        for split, best in zip(job.splits, fit.best_weights, strict=False):
            save_weights(self.folder.weights(job.stage, split.name, "best"), best)
        recorder.commit(number + 1, None)

    def refit_epochs(self) -> int:
        """Epochs of the final model: as given, or the best that validation found."""
        refit = self.parts.evaluation.refit
        if refit != "best":
            return int(refit)
        best = summary.best_epoch(self.folder.read_rows(), self.monitor(), self.parts.metrics)
        log.info("refit on training and validation rows for %d epochs, the best by %s", best, self.monitor())
        return best

    def monitor(self) -> str:
        """What the best epoch is judged by."""
        monitor = self.config.callbacks.get("checkpoint", {}).get("monitor", "auto")
        return "val_loss" if monitor == "auto" else str(monitor)

    def test(self, data: Data) -> dict[str, float]:
        """Open the test set, once, and note it in the ledger."""
        if data.test is None:
            raise DlrunError(f"dataset {self.config.dataset.name} has no test set: evaluation.test=false")
        ledger.note(Path(self.config.runs_dir), self.folder, self.config)
        return score(self.parts, data.test, load_weights(final_weights(self.folder)), self.config, self.device)

    def seconds(self) -> float:
        """Seconds of work so far, those before a restart included."""
        return float(self.state["seconds"] + time.monotonic() - self.started)


class Recorder(Callback):
    """Writes history rows and resume states of one job. An observer of `trainer.Fit`."""

    def __init__(self, run: Run, job: Job):
        self.run, self.job = run, job

    def save(self, fit: dict[str, Any]) -> None:
        """The state of a fit under way; the moment to leave if a signal came."""
        self.commit(self.run.state["job"], fit)
        signals.obey()

    def commit(self, job: int, fit: dict[str, Any] | None) -> None:
        """Everything before this is kept; everything after it is repeated by a restart."""
        run = self.run
        run.state |= {"job": job, "fit": fit, "metrics_bytes": run.folder.metrics_bytes()}
        save_state(run.folder.state, {**run.state, "seconds": run.seconds()})

    def on_epoch_end(self, fit: Fit) -> None:
        """One row per member and part."""
        rows = []
        for k in fit.rows_of:
            split = self.job.splits[k]
            head = {"stage": self.job.stage, "repeat": split.repeat, "fold": split.fold, "epoch": fit.epoch}
            logs = fit.logs[k]
            rows.append({**head, "split": "train", **{n: v for n, v in logs.items() if not n.startswith("val_")}})
            val = {n.removeprefix("val_"): v for n, v in logs.items() if n.startswith("val_")}
            rows += [{**head, "split": "val", **val}] if val else []
        self.run.folder.append_rows(rows)
        self.run.state["epochs"] += 1


def score(
    parts: Parts, rows: Rows, weights: dict[str, torch.Tensor], config: RunConfig, device: torch.device
) -> dict[str, float]:
    """Loss and metrics of one model on rows that it has not trained on."""
    dtype = devices.DTYPES[config.trainer.precision]
    objective = parts.objective(0, dtype, device)
    objective.model.load_state_dict(weights)
    step = parts.step(Single(objective), parts.optimizer)
    there = to_device(rows, device)
    loader = Loader(there, parts.spec, [np.arange(len(rows))], config.trainer.eval_batch_size, dtype)
    return evaluate(step, loader)[0]


def load_into(model: torch.nn.Module, weights: dict[str, torch.Tensor]) -> None:
    """Weights of another run as initial ones. Raises RunError when they do not fit."""
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise RunError(f"init_from: the weights do not fit this architecture: {error}") from None


@contextmanager
def memory_explained() -> Iterator[None]:
    """Raises RunError, which says what to do, where memory runs out inside."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        on_the_cpu = "can't allocate memory" in str(error)  # a plain RuntimeError
        if not on_the_cpu and not isinstance(error, (MemoryError, torch.OutOfMemoryError)):
            raise
        first = (str(error).splitlines() or [""])[0].rpartition("] ")[2][:200]
        raise RunError(
            f"out of memory: {first}\nLower trainer.batch_size, trainer.eval_batch_size or the model's size, "
            "or set evaluation.stack=never. The last good state is kept."
        ) from None
