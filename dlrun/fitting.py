"""Training the models of one run, or of several runs at once: from splits to weights in run folders."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import nn

from dlrun import signals
from dlrun.assembly import Parts
from dlrun.checkpoint import save_weights
from dlrun.choosing import Wish, choose
from dlrun.config import RunConfig
from dlrun.contracts import Rows
from dlrun.errors import RunError
from dlrun.graphs.freezing import fingerprint, frozen
from dlrun.loaders import Loader
from dlrun.objective import Objective, terms
from dlrun.optimizers._rule import combined
from dlrun.parts_of_step import Part
from dlrun.progress import Progress
from dlrun.recording import Job, Progressed, Recorder
from dlrun.run_folder import RunFolder
from dlrun.seeds import derive
from dlrun.signals import StopOnSignal
from dlrun.stack import State
from dlrun.stack import assemble as ensemble
from dlrun.standardizing import adapt
from dlrun.trainer import Fit, Training
from dlrun.weighing import weighing

log = logging.getLogger("dlrun")


class Owner(Protocol):
    """What a training needs of a run. rate: the learning rate that its optimizer begins with. initial: weights of
    another run to begin with, if any."""

    config: RunConfig
    parts: Parts
    folder: RunFolder
    device: torch.device
    dtype: torch.dtype
    progressed: Progressed
    initial: State | None

    @property
    def rate(self) -> float:
        """See above."""
        ...

    def load_initial(self, model: nn.Module) -> None:
        """Put the initial weights into a model. Raises ConfigError when they do not fit."""
        ...

    def tables(self, name: str, rows: Rows, index: np.ndarray, weights: State) -> None:
        """Write the metrics that are tables."""
        ...


@dataclass(frozen=True)
class Share:
    """What a run gives to a training. number: of the job, among those of the run."""

    run: Owner
    number: int
    job: Job


def train(shares: list[Share], rows: Rows, alike: int = 0) -> list[Fit]:
    """Train the models of all shares together, or go on where a restart left them, and keep their weights. rows:
    training rows on the device. The shares' runs differ in numbers and seeds only. alike: how many trainings of so many
    models follow, which a compiled update would serve, too. Returns a Fit for each share;
    one that diverged beside others has `failed` and nothing kept. Raises RunError when that of the only one does."""
    signals.obey()
    first = shares[0]
    objectives = [o for share in shares for o in fresh(share, rows)]
    still = frozen(objectives[0].model)
    before = [fingerprint(o.model.state_dict(), still) for o in objectives]
    train_loader, val_loader = loaders(shares, rows)
    parts, together = first.run.parts, len(shares) > 1
    optimizer = parts.optimizer
    if together:
        specs = [share.run.parts.optimizer for share in shares for _ in share.job.splits]
        optimizer = combined(specs, apart=parts.schedule().unstackable is not None)
    step = parts.step(ensemble(objectives, train_loader.shared), optimizer)
    progress = Progress(_title(shares), train_loader.steps, [share.run.folder for share in shares])
    fits, members = [], 0
    for share in shares:
        own = range(members, members + len(share.job.splits))
        members += len(share.job.splits)
        fits.append(_fit(share, Part(step, own, share.run.rate if together else None), train_loader, val_loader,
                         progress))  # fmt: skip
    torch.manual_seed(derive(first.run.config.seed, first.job.stage, first.number))
    for share, fit in zip(shares, fits, strict=True):
        if share.run.progressed.state["fit"]:
            fit.load_state_dict(share.run.progressed.state["fit"])
    updates, compiled = choose(_wish(shares, fits[0], train_loader, alike), step, train_loader)
    for share in shares:
        share.run.progressed.state["compiled"] = compiled
    try:
        Training(step, fits, updates, val_loader, signals.obey).run()
    finally:
        progress.close()
    for share, fit in zip(shares, fits, strict=True):
        if not fit.failed:
            _unmoved(fit, still, before[: len(share.job.splits)])
            keep(share, fit, rows)
        before = before[len(share.job.splits) :]
    return fits


def _unmoved(fit: Fit, still: list[str], before: list[str]) -> None:
    """Frozen tensors are as they were before training. (The book's were probably not, in its section 5.3.1.) Raises
    RunError."""
    if not still:
        return
    now = [fingerprint(weights, still) for weights in fit.final if weights is not None]
    if now != before:
        raise RunError(f"tensors that are frozen have moved in training, among {len(still)}: {', '.join(still[:3])}, …")
    log.info("%d frozen tensors are what they were before training", len(still))


def fresh(share: Share, rows: Rows) -> list[Objective]:
    """New models of a share, standardised by their rows, or with the weights that the run starts from."""
    run, job = share.run, share.job
    made = []
    for split in job.splits:
        seed = derive(run.config.seed, job.stage, "init", split.repeat, split.fold)
        objective = run.parts.objective(seed, run.dtype, run.device)
        if run.initial is not None:
            run.load_initial(objective.model)
        else:
            adapt(objective.model, run.parts.spec, rows, split)
        made.append(objective)
    return made


def loaders(shares: list[Share], rows: Rows) -> tuple[Loader, Loader | None]:
    """Training rows and, where there are any, validation rows of all models of the shares."""
    first = shares[0].run
    trainer, spec, dtype = first.config.trainer, first.parts.spec, first.dtype
    splits = [split for share in shares for split in share.job.splits]
    seeds = [
        derive(share.run.config.seed, share.job.stage, "shuffle", s.repeat, s.fold)
        for share in shares for s in share.job.splits
    ]  # fmt: skip
    index = [s.train for s in splits]
    counted = weighing(terms(first.parts.loss), spec, rows, index, dtype)
    train_loader = Loader(
        rows, spec, index, trainer.batch_size, dtype, seeds, trainer.steps_per_epoch, counted, trainer.replacement
    )
    if not all(len(s.val) for s in splits):
        return train_loader, None
    return train_loader, Loader(rows, spec, [s.val for s in splits], trainer.eval_batch_size, dtype)


def keep(share: Share, fit: Fit, rows: Rows) -> None:
    """Final and best weights of a share, and its tables; the run goes on with its next job."""
    run, job = share.run, share.job
    for split, last in zip(job.splits, fit.final, strict=True):
        assert last is not None
        save_weights(run.folder.weights(job.stage, split.name, "last"), last)
        if len(split.val):
            run.tables(f"{job.stage}-{split.name}-val", rows, split.val, last)
    for split, best in zip(job.splits, fit.best_weights, strict=False):
        save_weights(run.folder.weights(job.stage, split.name, "best"), best)
    run.progressed.commit(share.number + 1, None)


def _fit(share: Share, part: Part, train: Loader, val: Loader | None, progress: Progress) -> Fit:
    run, job = share.run, share.job
    many = run.parts.evaluation.folds * run.parts.evaluation.n_repeats > 1 and job.stage == "fit"
    names = [f"{job.stage} {s.name}" if many else job.stage for s in job.splits]
    recorder = Recorder(run.progressed, job)
    return Fit(
        part, train, val, job.epochs, names, run.parts.schedule(), run.parts.callbacks(),
        [recorder, progress, StopOnSignal()], recorder.save,
    )  # fmt: skip


def _title(shares: list[Share]) -> str:
    models = sum(len(share.job.splits) for share in shares)
    stage, run = shares[0].job.stage, shares[0].run
    if len(shares) > 1:
        return f"{stage} {models} models of {len(shares)} runs"
    many = run.parts.evaluation.folds * run.parts.evaluation.n_repeats > 1 and stage == "fit"
    return f"{stage} {models} models" if models > 1 else f"{stage} {shares[0].job.splits[0].name}" if many else stage


def _wish(shares: list[Share], fit: Fit, loader: Loader, alike: int) -> Wish:
    run = shares[0].run
    config, state = run.config, run.progressed.state
    plain = config.to_dict()
    numbers = run.parts.optimizer.rule.numbers if run.parts.optimizer.rule else {}
    facts = {
        **{name: plain[name] for name in ("architecture", "loss", "metrics", "step")},
        "optimizer": {k: v for k, v in plain["optimizer"].items() if k not in numbers},
        "data": repr(run.parts.spec),
        "models": sum(len(share.job.splits) for share in shares),
        "shared": loader.shared,
    }
    left = ((1 + alike) * fit.epochs - fit.done) * loader.steps - fit.batch
    remembered = state.get("compiled") if state["fit"] else None
    return Wish(config.trainer.compile, run.parts.uncompilable, remembered, left, facts)
