"""Table 4-1 of the book (4.5.5): which last activation and which loss belong to which problem."""

from __future__ import annotations

from collections.abc import Mapping

from dlrun.contracts import DataSpec
from dlrun.contracts import Problem as Kind
from dlrun.errors import Problem
from dlrun.layers._head import LAST_ACTIVATION

TABLE: dict[Kind, tuple[str, ...]] = {
    "binary": ("binary_crossentropy",),
    "multiclass": ("categorical_crossentropy", "sparse_categorical_crossentropy"),
    "multilabel": ("binary_crossentropy",),
    "regression": ("mse",),
    "bounded_regression": ("mse", "binary_crossentropy"),
}
"""Losses that the table gives for a problem; `auto` takes the first."""

ASSUMED: dict[str, tuple[str, tuple[Kind, ...]]] = {
    "binary_crossentropy": ("sigmoid", ("binary", "multilabel", "bounded_regression")),
    "categorical_crossentropy": ("softmax", ("multiclass",)),
    "sparse_categorical_crossentropy": ("softmax", ("multiclass",)),
}
"""What a loss on logits takes for granted: the last activation, and the problems whose targets it can
read."""


def check(
    spec: DataSpec, loss_name: str, loss_key: str, output_activations: Mapping[str, str], path: str = "loss.name"
) -> tuple[list[Problem], list[str]]:
    """Compare a loss with the model's last activation, before anything is trained.

    loss_key: the target the loss reads. output_activations: the model's, target to name. path: of the loss's name in
    the config. Returns what can't
    work as problems, and what can though the table advises otherwise as warnings (the book's
    `imdb_dense_mse` and `mnist_dense_api` do so on purpose). Losses that the table does not know are left
    alone.
    """
    if loss_key not in output_activations:
        given = ", ".join(output_activations) or "none"
        where = "loss.target" if path == "loss.name" else path
        return [Problem(where, f"the model has no output '{loss_key}'", f"its outputs: {given}")], []
    target = spec.targets[loss_key]
    kind, last = target.problem, output_activations[loss_key]
    name = TABLE[kind][0] if loss_name == "auto" else loss_name
    advice = f"table 4-1 for {kind}: {LAST_ACTIVATION[kind]} with {' or '.join(TABLE[kind])}"

    problems: list[Problem] = []
    if last == "softmax" and target.units == 1:
        message = f"softmax over the one unit of target '{loss_key}' is always 1"
        problems.append(Problem("architecture.output_activation", message, advice))
    if name in ASSUMED:
        activation, kinds = ASSUMED[name]
        if kind not in kinds:
            wanted = " or ".join(kinds)
            message = f"{name} needs a {wanted} target, '{loss_key}' is {kind} with {target.units} unit(s)"
            problems.append(Problem(path, message, advice))
        elif last != activation:
            message = f"{name} needs {activation} as the last activation, the model has {last}"
            problems.append(Problem("architecture.output_activation", message, advice))
    if problems:
        return problems, []

    usual = name in TABLE[kind] or name not in (*ASSUMED, "mse", "mae")
    if usual and last == LAST_ACTIVATION[kind]:
        return [], []
    return [], [f"unusual for target '{loss_key}': {last} with {name}; {advice}"]
