"""A patience or a warm-up that outlasts the training: the one can never act, the other never ends."""

from __future__ import annotations

import math
from typing import Any

from dlrun import registry
from dlrun.guarding import Context


def build() -> Patience:
    """Speaks of whatever has an argument `patience`: early_stopping, reduce_on_plateau. And of a schedule's warm-up:
    warmup, cosine."""
    return Patience()


class Patience:
    """See `build`."""

    def check(self, context: Context) -> list[str]:
        """The first epoch is always the best so far, so the earliest that anything happens is after epoch
        `1 + patience`, and only a later epoch can feel it."""
        config, epochs = context.config, context.config.trainer.epochs
        parts = [("callbacks", name, args, f"callbacks.{name}") for name, args in config.callbacks.items()]
        parts.append(("schedule", config.schedule.name, config.schedule.args, "schedule"))
        said = []
        for group, name, args, path in parts:
            patience = _patience(group, name, args)
            if patience is not None and patience + 1 >= epochs:
                said.append(
                    f"{name} waits {patience} epoch(s) and training has {epochs}: it can never act before the end. "
                    f"Set {path}.patience below {epochs - 1}, or trainer.epochs higher"
                    if epochs > 2
                    else f"{name} can never act in {epochs} epoch(s) of training. Set trainer.epochs higher"
                )
        return said + _warm_up(context)


def _warm_up(context: Context) -> list[str]:
    """Of the splits the largest counts: it has the most updates."""
    name, trainer = context.config.schedule.name, context.config.trainer
    arguments = registry.arguments(registry.load("schedule", name))
    prefix = "" if name == "warmup" else "warmup_"
    keys = [key for key in (f"{prefix}steps", f"{prefix}epochs") if key in arguments]
    given = {key: context.config.schedule.args.get(key, arguments[key][1]) for key in keys}
    key = next((key for key in keys if given[key] is not None), None)
    if key is None:
        return []
    rows = max((len(split.train) for split in context.splits), default=len(context.data.train))
    per_epoch = trainer.steps_per_epoch or math.ceil(rows / trainer.batch_size)
    length = given[key] * (per_epoch if key.endswith("epochs") else 1)
    if length < per_epoch * trainer.epochs:
        return []
    return [
        f"the warm-up of schedule {name} takes {length:,} updates and the run has {per_epoch * trainer.epochs:,}: the "
        f"full learning rate is never reached. Set schedule.{key} lower, or trainer.epochs higher"
    ]


def _patience(group: str, name: str, args: dict[str, Any]) -> int | None:
    """As given, or the default."""
    arguments = registry.arguments(registry.load(group, name))
    if "patience" not in arguments:
        return None
    return int(args.get("patience", arguments["patience"][1]))
