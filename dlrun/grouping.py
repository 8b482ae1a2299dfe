"""Which models train as one stack: those with equally many updates, as many as fit, where it is not slower."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import torch
from torch import Tensor

from dlrun import memory
from dlrun.choosing import MOST_SAVED, span, timed
from dlrun.contracts import Bags, Batch, Rows, Split
from dlrun.fitting import Share, fresh, loaders
from dlrun.loaders import Loader
from dlrun.objective import Objective
from dlrun.stack import assemble, mixes_rows

log = logging.getLogger("dlrun")

SHARE = 0.7
"""Of the memory that is left, what a stack may be estimated to take."""

CLEARLY = 1.2
"""By this a stack must be slower than its models one by one: noise is no reason."""

SLOTS = 2
"""Tensors that an optimizer keeps of each weight, at most."""


Member = tuple[Share, Split]


def grouped(shares: list[Share], rows: Rows, compared: bool) -> list[list[Member]] | str:
    """The splits of all shares in groups that train as one. compared: a stack is tried against one model at a time;
    returned is why it is slower, where it is."""
    members = [(share, split) for share in shares for split in share.job.splits]
    evaluation, config = shares[0].run.parts.evaluation, shares[0].run.config
    (first, split), device = members[0], shares[0].run.device
    alone = replace(first, job=replace(first.job, splits=[split]))
    (objective,) = fresh(alone, rows)
    loader, _ = loaders([alone], rows)
    fits = fitting(objective, loader, min(config.trainer.eval_batch_size, max(len(split.val), 1)), device)
    cap = min(evaluation.stack_size or fits, fits)
    ragged = any(given.encoding == "multi_hot" for given in shares[0].run.parts.spec.inputs.values())
    found = groups(members, config.trainer.batch_size, mixes_rows(objective.model), ragged, cap)
    if fits < min(evaluation.stack_size or len(members), len(members)):
        log.info("memory is enough for %d models at once", fits)
    if compared and len(found[0]) > 1 and (reason := slower(found[0], rows)):
        return reason
    log.info("splits train as one: %s", " + ".join(f"stack of {len(g)}" for g in found))
    return found


def groups(
    members: Sequence[Member], batch_size: int, whole_rows: bool, by_batch: bool, cap: int
) -> list[list[Member]]:
    """Members with equally many updates per epoch, or where `whole_rows` equally many rows, in groups of at most
    `cap` that are as equal as can be. by_batch: of several runs those of one seed, which share their batches: much of
    the work on multi-hot rows is then done once."""
    alike: dict[tuple[int, ...], list[Member]] = {}
    several = len({share.run.folder.path for share, _ in members}) > 1
    for share, split in members:
        rows = len(split.train)
        batch = (share.run.config.seed, split.repeat, split.fold) if by_batch and several else ()
        key = (rows if whole_rows else -(-rows // batch_size), *batch)
        alike.setdefault(key, []).append((share, split))
    found = []
    for same in alike.values():
        parts = -(-len(same) // cap)
        bounds = [round(i * len(same) / parts) for i in range(parts + 1)]
        found += [same[a:b] for a, b in pairwise(bounds)]
    return found


def fitting(objective: Objective, loader: Loader, eval_rows: int, device: torch.device) -> int:
    """How many models like `objective` fit into the memory that is left, at least one. It is used up by this: its
    layers see a batch."""
    needed = bytes_of(objective, next(iter(loader.epoch(1))).batch, eval_rows)
    left = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else memory.available()
    return max(int(SHARE * left / needed), 1)


def bytes_of(objective: Objective, batch: Batch, eval_rows: int) -> int:
    """Memory that a model takes in training, estimated: weights, their gradients and the optimizer's tensors, a
    batch and what its forward pass keeps for the backward pass with gradients as large, and as much per row for a
    batch of evaluation, which keeps nothing but is often larger."""
    weights = sum(t.nbytes for t in (*objective.parameters(), *objective.buffers()))
    own = {t.untyped_storage().data_ptr() for t in objective.parameters()}
    kept: dict[int, int] = {}

    def pack(t: Tensor) -> Tensor:
        storage = t.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return t

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        objective(batch)
    rows = len(next(iter(batch.targets.values())))
    columns = [part for c in batch.inputs.values() for part in (c if isinstance(c, Bags) else (c,))]
    activations = sum(kept.values()) + sum(t.nbytes for t in columns)
    return math.ceil(weights * (2 + SLOTS) + activations * (2 + eval_rows / rows))


def slower(group: list[Member], rows: Rows) -> str | None:
    """Why the models of a group are better trained one by one, or None; for those of one run. A small update that may
    be compiled is not judged by its eager form, which is nearly all starting of operations."""
    share, splits = group[0][0], [split for _, split in group]
    compilable = share.run.config.trainer.compile != "never" and not share.run.parts.uncompilable

    def update_seconds(splits: list[Split]) -> float:
        tried = replace(share, job=replace(share.job, splits=splits))
        loader, _ = loaders([tried], rows)
        step = share.run.parts.step(assemble(fresh(tried, rows)), share.run.parts.optimizer)
        step.ensemble.train(True)
        batches = loader.epoch(1)
        return timed(lambda: step.update(next(batches).batch), loader.steps)

    one, together = update_seconds(splits[:1]), update_seconds(splits)
    if together <= CLEARLY * len(group) * one or (compilable and together <= MOST_SAVED[1]):
        return None
    return f"an update of {len(group)} as one takes {span(together)}, {len(group)} of one {span(len(group) * one)}"
