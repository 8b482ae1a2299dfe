"""The tables of `dlrun show`: layers with shapes and parameters, and the data card."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dlrun.contracts import AnyLoss, Bags, Data, Dataset, InputSpec, Stored, SumOfLosses, TargetSpec, Windows
from dlrun.graphs import summary

MOST_COLUMNS = 30


def layers(model: nn.Module, nested: bool = False) -> tuple[str, list[str], list[list[Any]]]:
    """Title, columns, and one row per layer: name, kind, output shape with the batch axis as None, parameters, and what
    it reads (Keras's summary)."""
    found = list(summary.lines(model, nested))
    trainable, frozen = summary.counts(model)
    graph = any(line.reads for line in found)
    rows = [
        [line.path, line.kind, line.shape, f"{line.trainable + line.frozen:,}"]
        + ([f"{line.frozen:,}" if line.frozen else ""] if frozen else [])
        + ([line.reads] if graph else [])
        for line in found
    ]
    columns = ["layer", "kind", "output shape", "parameters"] + ["frozen"] * bool(frozen) + ["reads"] * graph
    title = f"Layers · {trainable + frozen:,} parameters, {trainable:,} trainable, {frozen:,} frozen"
    return title, columns, rows


def trainable(model: nn.Module) -> tuple[str, list[str], list[list[Any]]]:
    """Title, columns, and one row per tensor that trains, where others do not: what freezing has left (book 5.3.1)."""
    there, found = len(list(model.parameters())), summary.trained(model)
    rows = [[name, str(tuple(weight.shape)), f"{weight.numel():,}"]
            for name, weight in found.items()] if len(found) < there else []  # fmt: skip
    return f"Trainable tensors · {len(found)} of {there}", ["tensor", "shape", "parameters"], rows


def told(loss: AnyLoss) -> str:
    """`mse on age`; of a sum `0.25 * mse on age + binary_crossentropy on gender`."""
    if not isinstance(loss, SumOfLosses):
        return f"{loss.name} on {loss.key}"
    factors = {target: f"{weight:g} * " if weight != 1 else "" for target, weight in loss.weights.items()}
    return " + ".join(f"{factors[target]}{term.name} on {target}" for target, term in loss.terms.items())


def card(dataset: Dataset, data: Data, columns: bool = False) -> list[list[Any]]:
    """What the data are: rows, shapes, types, ranges, classes, and three rows as a person reads them.

    columns: whether each training column that has a name gets a line of its own.
    """
    rows: list[list[Any]] = [["source", data.source]]
    spec = dataset.spec
    for part, there in (("train", data.train), ("test", data.test)):
        if there is None:
            continue
        rows.append([f"{part} rows", f"{len(there):,}"])
        for name, column in there.inputs.items():
            rows.append([f"{part} {name}", _column(column, spec.inputs[name])])
            rows += _named(column, spec.inputs[name].names) if columns and part == "train" else []
        rows += [[f"{part} {name}", _target(t, spec.targets[name])] for name, t in there.targets.items()]
        rows += [] if there.weights is None else [[f"{part} sample weight", _range(there.weights)]]
    described = [dataset.describe(data, "train", i) for i in range(min(3, len(data.train)))]
    rows += [[f"train[{i}]", text if len(text) <= 300 else text[:299] + "…"] for i, text in enumerate(described)]
    return rows


def _column(column: Stored, given: InputSpec) -> str:
    if isinstance(column, Bags):
        sizes = (column.offsets[1:] - column.offsets[:-1]).numpy()
        return (
            f"multi-hot {_shape(given.shape, len(sizes))}, kept as indices {int(column.values.min())} to "
            f"{int(column.values.max())}; {sizes.mean():.0f} a row ({sizes.min()} to {sizes.max()})"
        )
    if isinstance(column, Windows):
        every = f", one row in {column.step}" if column.step > 1 else ""
        series = f"{_shape(given.shape[1:], column.length)} {_dtype(column.phases)}"
        return f"windows {_shape(given.shape, len(column))}{every}, into one series {series}"
    stored = f"{_shape(column.shape[1:], len(column))} {_dtype(column)}"
    if given.encoding == "tokens":
        return f"tokens {stored}, {int(column.numpy().min())} to {int(column.numpy().max())} of {given.vocabulary:,}"
    return f"{stored}, {_range(column)}"


def _named(column: Stored, names: tuple[str, ...]) -> list[list[str]]:
    """A line per column of a table or channel of a series, at most `MOST_COLUMNS` of them."""
    if isinstance(column, Windows):
        column = column.values(column.covered(torch.arange(len(column))))
    if isinstance(column, Bags) or column.ndim != 2 or len(names) < 2:
        return []
    rows = [[f"  {name}", _range(column[:, i])] for i, name in enumerate(names[:MOST_COLUMNS])]
    more = len(names) - MOST_COLUMNS
    return [*rows, ["  …", f"{more:,} more column{'s' * (more > 1)}"]] if more > 0 else rows


def _range(values: Tensor) -> str:
    missing = int(values.isnan().sum()) if values.is_floating_point() else 0
    known = values[~values.isnan()] if missing else values
    ranges = f"{float(known.min()):g} to {float(known.max()):g}" if known.numel() else "all missing"
    return f"{ranges}, {missing:,} missing" if missing and known.numel() else ranges


def _target(values: Tensor, target: TargetSpec) -> str:
    if not target.classes:
        mean, std = float(values.float().mean()), float(values.float().std())
        low, high = float(values.min()), float(values.max())
        return f"{target.problem}, {low:g} to {high:g} {target.unit}, mean {mean:.3g}, std {std:.3g}"
    if target.problem == "multilabel":
        return f"{target.problem}, {target.classes} labels"
    if values.ndim > 1:
        sums = values.sum(-1)
        sum_up = f"{float(sums.min()):.3g} to {float(sums.max()):.3g}"
        return f"{target.problem}, {target.classes} classes, each row their weights, which sum to {sum_up}"
    labels, counts = np.unique(values.numpy(), return_counts=True)
    names = [target.labels[int(v)] if target.labels else str(int(v)) for v in labels]
    shown = ", ".join(f"{n} {c:,}" for n, c in list(zip(names, counts, strict=True))[:12])
    return f"{target.problem}, {target.classes} classes: {shown}"


def _shape(shape: Any, rows: int | None = None) -> str:
    """With the batch axis in front, as None or as the number of rows; `(404,)` as Python writes it."""
    return str((rows, *shape))


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
