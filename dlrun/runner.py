"""One run from config to summary. The only file that knows every part."""

from __future__ import annotations

import json
import logging
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dlrun import device as devices
from dlrun import environment, fitting, grouping, guarding, ledger, lifecycle, summary
from dlrun.assembly import Parts, assemble
from dlrun.checkpoint import load_weights
from dlrun.config import RunConfig
from dlrun.contracts import Data, Rows, RowTable, Split
from dlrun.errors import DataError
from dlrun.files import write_text, writing
from dlrun.finding import final_weights, find_origin
from dlrun.graphs.weights import fill
from dlrun.loaders import to_device
from dlrun.recording import Job, Progressed
from dlrun.run_folder import RunFolder
from dlrun.scoring import score, tabulate
from dlrun.stack import State

log = logging.getLogger("dlrun")


def run(config: RunConfig, overrides: list[str]) -> dict[str, Any]:
    """Run, resume, or find finished; returns the summary. Raises DlrunError."""
    one, context = opening(config, overrides)
    with context as finished:
        if finished:
            return finished
        with devices.memory_explained():
            return one.run()


def opening(config: RunConfig, overrides: list[str]) -> tuple[Run, AbstractContextManager[dict[str, Any] | None]]:
    """A run, and the context in which its folder is open; that gives the summary of a finished run, or None for
    one that is to be done. Raises DlrunError."""
    parts = assemble(config)
    device = devices.pick(config.trainer.device)
    config = config.with_source(parts.dataset.resolve_source())
    origin = None
    if config.init_from:
        source = str(config.dataset.args["source"])
        origin = find_origin(config.init_from, Path(config.runs_dir), config.seed, source)
    more = {"init_from": origin.path.name} if origin else {}
    if content := getattr(parts.dataset, "fingerprint", None):
        more["data"] = content
    if parts.content:
        more["weights"] = parts.content
    folder = RunFolder(Path(config.runs_dir) / config.task / config.signature(**more))
    run = Run(config, overrides, parts, folder, device, origin)
    if origin:
        with torch.device("meta"):  # before data are read
            run.load_initial(parts.model(0))
    return run, lifecycle.opened(folder, config, overrides)


def surroundings(device: torch.device, data: Data) -> str:
    """What a result depends on beside its config, as `environment.json` has it."""
    return json.dumps(environment.collect(devices.describe(device), data.checksums), indent=2) + "\n"


class Run:
    """The stages of one run: fit, refit, test. progressed: from `begin` on."""

    progressed: Progressed

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
        self.origin = origin
        self.initial = load_weights(final_weights(origin)) if origin else None
        self.dtype = devices.DTYPES[config.trainer.precision]

    def run(self) -> dict[str, Any]:
        """All stages; returns the summary."""
        data = self.parts.dataset.load()
        self.begin(data, surroundings(self.device, data))
        rows, splits = to_device(data.train, self.device), self.splits(data)
        jobs = [self.fit_job(group) for group in self.group(splits, rows)]
        warnings = self.guard(data, splits)
        for number, job in enumerate(jobs):
            alike = sum(len(other.splits) == len(job.splits) for other in jobs[number + 1 :])
            self.job(number, job, rows, alike)
        return self.finish(data, rows, splits, warnings, len(jobs))

    def begin(self, data: Data, around: str) -> None:
        """In the open folder: note the surroundings, and find where a restart goes on. Raises DataError."""
        self.progressed = Progressed(self.folder)
        write_text(self.folder.environment, around)
        if data.test is None and self.parts.evaluation.test:
            raise DataError(f"dataset {self.config.dataset.name} has no test set: set evaluation.test=false")

    def splits(self, data: Data) -> list[Split]:
        """Which rows each model trains on."""
        return self.parts.splits(data, self.config.seed)

    def fit_job(self, splits: list[Split]) -> Job:
        """The stage fit of some splits."""
        return Job("fit", splits, self.config.trainer.epochs, self.config.schedule.name != "constant")

    def job(self, number: int, job: Job, rows: Rows, alike: int = 0) -> None:
        """Train one group of splits, unless it was done before a restart. alike: as in `fitting.train`."""
        if number >= self.progressed.state["job"]:
            fitting.train([fitting.Share(self, number, job)], rows, alike)

    def finish(
        self, data: Data, rows: Rows, splits: list[Split], warnings: dict[str, list[str]], jobs: int
    ) -> dict[str, Any]:
        """What comes after the fit, whose jobs were so many: refit, test, summary."""
        if self.parts.evaluation.refit:
            everything = Split(0, 0, np.arange(len(data.train)), np.arange(0))
            job = Job("refit", [everything], self.refit_epochs(), self.config.schedule.name != "constant")
            self.job(jobs, job, rows)
        tested = self.test(data) if self.parts.evaluation.test else None
        result = summary.make(
            self.config, self.overrides, self.parts, data, splits, self.folder, tested, warnings,
            self.progressed, devices.describe(self.device),
        )  # fmt: skip
        summary.write(self.folder, result, self.config.trainer)
        return result

    def guard(self, data: Data, splits: list[Split], aloud: bool = True) -> dict[str, list[str]]:
        """Say in which ways this run may fool its reader; what is acknowledged is not said. aloud: not only in the
        log."""
        found = guarding.findings(guarding.Context(self.config, self.parts, data, splits))
        level = logging.WARNING if aloud else logging.DEBUG
        for name, sentences in found.items():
            for sentence in sentences:
                log.log(level, "%s (acknowledge=[%s] if it is meant)", sentence, name)
        return found

    def group(self, splits: list[Split], rows: Rows) -> list[list[Split]]:
        """Which splits are trained as one; what was decided before a restart is kept."""
        state = self.progressed.state
        if "groups" in state:
            by_name = {split.name: split for split in splits}
            return [[by_name[name] for name in names] for names in state["groups"]]
        found = self._group(splits, rows)
        state["groups"] = [[split.name for split in group] for group in found]
        return found

    def _group(self, splits: list[Split], rows: Rows) -> list[list[Split]]:
        evaluation, reason = self.parts.evaluation, self.parts.unstackable
        one_by_one = [[split] for split in splits]
        if evaluation.stack == "never" or len(splits) == 1:
            return one_by_one
        if not reason:
            job = Job("fit", splits, self.config.trainer.epochs)
            found = grouping.grouped([fitting.Share(self, 0, job)], rows, evaluation.stack == "auto")
            if isinstance(found, str):
                reason = found
            else:
                return [[split for _, split in group] for group in found]
        log.info("splits train one after another: %s", reason)
        return one_by_one

    def load_initial(self, model: torch.nn.Module) -> None:
        """Weights of another run as initial ones; what counts, as the keys of dropout, begins anew. Raises ConfigError
        with those that do not fit."""
        assert self.initial is not None
        assert self.origin is not None
        given = {name: tensor for name, tensor in self.initial.items() if tensor.is_floating_point()}
        there = {name: (name, given[name]) for name in model.state_dict() if name in given}
        fill(model, given, there, str(self.origin.path), "init_from")

    @property
    def rate(self) -> float:
        """The learning rate that the optimizer begins with."""
        rule = self.parts.optimizer.rule
        assert rule is not None
        return float(rule.numbers["lr"])

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
            made = self.parts.tables[metric]
            head = [",".join(made.columns) + "\n"] if isinstance(made, RowTable) else []
            write_text(path, "".join(head + [",".join(f"{v:g}" for v in row) + "\n" for row in table]))
            with writing(path.with_suffix(".png")) as aside:
                made.draw(table, aside, f"{self.config.task} · {name}{mark}")
