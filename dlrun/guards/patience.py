"""A callback or schedule whose patience outlasts the training: it can never act."""

from __future__ import annotations

from typing import Any

from dlrun import registry
from dlrun.guarding import Context


def build() -> Patience:
    """Speaks of whatever has an argument `patience`: early_stopping, reduce_on_plateau."""
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
        return said


def _patience(group: str, name: str, args: dict[str, Any]) -> int | None:
    """As given, or the default."""
    arguments = registry.arguments(registry.load(group, name))
    if "patience" not in arguments:
        return None
    return int(args.get("patience", arguments["patience"][1]))
