"""One run from config to summary. The only file that knows every part."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dlrun import device as devices
from dlrun import environment, guarding, ledger, lifecycle, signals, summary
from dlrun.assembly import Parts, assemble
from dlrun.checkpoint import load_weights, save_weights
from dlrun.config import RunConfig
from dlrun.contracts import Data, Rows, Split
from dlrun.errors import DataError, RunError
from dlrun.files import write_text, writing
from dlrun.finding import final_weights, find_run
from dlrun.loaders import Loader, to_device
from dlrun.progress import Progress
from dlrun.recording import Job, Progressed, Recorder
from dlrun.run_folder import RunFolder
from dlrun.scoring import score, tabulate
from dlrun.seeds import derive
from dlrun.signals import StopOnSignal
from dlrun.stack import State
from dlrun.stack import assemble as ensemble
from dlrun.standardizing import adapt
from dlrun.trainer import Fit

log = logging.getLogger("dlrun")


def run(config: RunConfig, overrides: list[str]) -> dict[str, Any]:
    """Run, resume, or find finished; returns the summary. Raises DlrunError."""
    parts = assemble(config)
    device = devices.pick(config.trainer.device)
    config = config.with_source(parts.dataset.resolve_source())
    origin = find_run(config.init_from, Path(config.runs_dir)) if config.init_from else None
    more = {"init_from": origin.path.name} if origin else {}
    if content := getattr(parts.dataset, "fingerprint", None):
        more["data"] = content
    folder = RunFolder(Path(config.runs_dir) / config.task / config.signature(**more))
    with lifecycle.opened(folder, config, overrides) as finished:
        if finished:
            log.info("finished before: %s (rerun=true runs it again)", folder.path)
            return finished
        with devices.memory_explained():
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
        self.progressed = Progressed(folder)

    def run(self) -> dict[str, Any]:
        """All stages; returns the summary."""
        data = self.parts.dataset.load()
        found = environment.collect(devices.describe(self.device), data.checksums)
        write_text(self.folder.environment, json.dumps(found, indent=2) + "\n")
        if data.test is None and self.parts.evaluation.test:
            raise DataError(f"dataset {self.config.dataset.name} has no test set: set evaluation.test=false")
        train = to_device(data.train, self.device)
        targets = next(iter(data.train.targets.values())).numpy()
        scale = len(data.train) / data.spec.rows["train"] if data.spec.rows else 1.0
        splits = self.parts.evaluation.splits(targets, self.config.seed, scale)
        scheduled = self.config.schedule.name != "constant"
        jobs = [Job("fit", group, self.config.trainer.epochs, scheduled) for group in self.group(splits)]
        warnings = self.guard(data, splits)
        for number, job in enumerate(jobs):
            self.job(number, job, train)
        if self.parts.evaluation.refit:
            everything = Split(0, 0, np.arange(len(targets)), np.arange(0))
            self.job(len(jobs), Job("refit", [everything], self.refit_epochs(), scheduled), train)
        tested = self.test(data) if self.parts.evaluation.test else None
        result = summary.make(
            self.config, self.overrides, self.parts, data, splits, self.folder, tested, warnings,
            self.progressed, devices.describe(self.device),
        )  # fmt: skip
        summary.write(self.folder, result, self.config.trainer.plots)
        return result

    def guard(self, data: Data, splits: list[Split]) -> dict[str, list[str]]:
        """Say in which ways this run may fool its reader; what is acknowledged is not said."""
        found = guarding.findings(guarding.Context(self.config, self.parts, data, splits))
        for name, sentences in found.items():
            for sentence in sentences:
                log.warning("%s (acknowledge=[%s] if it is meant)", sentence, name)
        return found

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
        if number < self.progressed.state["job"]:
            return
        signals.obey()
        seed = self.config.seed
        objectives = [
            self.parts.objective(derive(seed, job.stage, "init", s.repeat, s.fold), self.dtype, self.device)
            for s in job.splits
        ]
        for objective, split in zip(objectives, job.splits, strict=True):
            if self.initial is not None:
                load_into(objective.model, self.initial)
            else:
                adapt(objective.model, self.parts.spec, train, split)
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
        recorder, progress = Recorder(self.progressed, job), Progress(title, loader.steps, self.folder)
        fit = Fit(
            step, loader, val, job.epochs, names, self.parts.schedule(), self.parts.callbacks(),
            [recorder, progress, StopOnSignal()], recorder.save,
        )  # fmt: skip
        torch.manual_seed(derive(seed, job.stage, number))
        if self.progressed.state["fit"]:
            fit.load_state_dict(self.progressed.state["fit"])
        try:
            fit.run()
        finally:
            progress.close()
        for split, last in zip(job.splits, fit.final, strict=True):
            assert last is not None
            save_weights(self.folder.weights(job.stage, split.name, "last"), last)
            if len(split.val):
                self.tables(f"{job.stage}-{split.name}-val", train, split.val, last)
        for split, best in zip(job.splits, fit.best_weights, strict=False):
            save_weights(self.folder.weights(job.stage, split.name, "best"), best)
        self.progressed.commit(number + 1, None)

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
        assert data.test is not None
        ledger.note(Path(self.config.runs_dir), self.folder, self.config)
        weights = load_weights(final_weights(self.folder))
        everything = np.arange(len(data.test))
        self.tables("test", to_device(data.test, self.device), everything, weights)
        return score(self.parts, data.test, weights, self.config, self.device)

    def tables(self, name: str, rows: Rows, index: np.ndarray, weights: State) -> None:
        """Metrics that are tables, each as CSV and as a picture among the artifacts."""
        mark = " · SAMPLE DATA" if self.config.dataset.args["source"] == "sample" else ""
        for metric, table in tabulate(self.parts, rows, index, weights, self.config, self.device).items():
            path = self.folder.artifacts / f"{metric}-{name}.csv"
            write_text(path, "".join(",".join(f"{v:g}" for v in row) + "\n" for row in table))
            with writing(path.with_suffix(".png")) as aside:
                self.parts.tables[metric].draw(table, aside, f"{self.config.task} · {name}{mark}")


def load_into(model: torch.nn.Module, weights: dict[str, torch.Tensor]) -> None:
    """Weights of another run as initial ones. Raises RunError when they do not fit."""
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise RunError(f"init_from: the weights do not fit this architecture: {error}") from None
