"""Hydra's own settings can run code: what a command line may say of them, and what YAML may not.

Hydra instantiates callbacks and logging from the composed `hydra` node before any function of ours is called,
and its block-list is no boundary. So only a few words about it are allowed, and the node that a user's YAML
files lead to must be the one that our own alone lead to.
"""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig, OmegaConf

from dlrun.errors import Problem

HYDRA_KEYS = ("hydra.launcher.", "hydra.sweeper.params", "hydra.sweep.", "hydra.verbose", "hydra.mode")
HYDRA_GROUPS = ("hydra/launcher", "hydra/sweeper")
"""What a command line may say about Hydra itself; the rest of that node can write files or run code."""

FILLED_IN = ("runtime", "overrides", "job.override_dirname", "job.config_name", "job.name", "job.id", "job.num")
"""What Hydra itself writes into the node: where files were found, what was chosen, names for it."""


def word_problems(word: str) -> list[Problem]:
    """What is wrong with a command-line word that is about Hydra itself; nothing with any other word."""
    key = word.lstrip("+~").partition("=")[0].partition("@")[0]
    if not key.startswith(("hydra.", "hydra/")) and key != "hydra":
        return []
    allowed = key in HYDRA_GROUPS or key.startswith(HYDRA_KEYS)
    if allowed and "_target_" not in word:
        return []
    return [
        Problem(
            key,
            "this part of Hydra's own settings can run code or write files; refused",
            "allowed: " + ", ".join([*HYDRA_GROUPS, *(k.rstrip(".") for k in HYDRA_KEYS)]),
            f"command line: {word}",
        )
    ]


def foreign_node(config: DictConfig, base: DictConfig) -> Problem | None:
    """The problem of a composed config whose `hydra` node is not that of `base`, or None."""
    ours, theirs = _plain(base), _plain(config)
    foreign = sorted(key for key in {*ours, *theirs} if ours.get(key) != theirs.get(key))
    if not foreign:
        return None
    return Problem(
        f"hydra.{foreign[0]}",
        "a YAML file changes Hydra's own settings, which can run code or write files; refused",
        "take it out of the file; launcher and sweeper settings belong on the command line",
    )


def _plain(config: DictConfig) -> dict[str, Any]:
    node = OmegaConf.to_container(config.hydra, resolve=False)
    assert isinstance(node, dict)
    for path in FILLED_IN:
        parent, _, key = path.rpartition(".")
        (node[parent] if parent else node).pop(key, None)
    return {str(key): value for key, value in node.items()}
