"""The tables of `dlrun show`: layers with shapes and parameters, and the data card."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dlrun.assembly import Parts
from dlrun.contracts import AnyLoss, Bags, Column, Data, Dataset, SumOfLosses, TargetSpec

MOST_COLUMNS = 30


def layers(parts: Parts) -> tuple[str, list[str], list[list[Any]]]:
    """Title, columns, and one row per layer: name, kind, output shape with the batch axis as None, parameters
    (Keras's summary)."""
    with torch.device("meta"):
        model = parts.model(0)
    rows = []
    for name, module in model.named_modules():
        if not hasattr(module, "output"):
            continue
        count = sum(p.numel() for p in module.parameters())
        rows.append([name, type(module).__name__, _shape(module.output.shape), f"{count:,}"])
    total, trainable = _count(model, False), _count(model, True)
    title = f"Layers · {total:,} parameters, {trainable:,} trainable, {total - trainable:,} frozen"
    return title, ["layer", "kind", "output shape", "parameters"], rows


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
            rows.append([f"{part} {name}", _column(column, spec.inputs[name].shape)])
            rows += _named(column, spec.inputs[name].names) if columns and part == "train" else []
        rows += [[f"{part} {name}", _target(t, spec.targets[name])] for name, t in there.targets.items()]
        rows += [] if there.weights is None else [[f"{part} sample weight", _range(there.weights)]]
    described = [dataset.describe(data, "train", i) for i in range(min(3, len(data.train)))]
    rows += [[f"train[{i}]", text if len(text) <= 300 else text[:299] + "…"] for i, text in enumerate(described)]
    return rows


def _column(column: Column, shape: tuple[int, ...]) -> str:
    if isinstance(column, Bags):
        sizes = (column.offsets[1:] - column.offsets[:-1]).numpy()
        return (
            f"multi-hot {_shape(shape, len(sizes))}, kept as indices {int(column.values.min())} to "
            f"{int(column.values.max())}; {sizes.mean():.0f} a row ({sizes.min()} to {sizes.max()})"
        )
    return f"{_shape(column.shape[1:], len(column))} {_dtype(column)}, {_range(column)}"


def _named(column: Column, names: tuple[str, ...]) -> list[list[str]]:
    """A line per column of a table, at most `MOST_COLUMNS` of them."""
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
    labels, counts = np.unique(values.numpy(), return_counts=True)
    names = [target.labels[int(v)] if target.labels else str(int(v)) for v in labels]
    shown = ", ".join(f"{n} {c:,}" for n, c in list(zip(names, counts, strict=True))[:12])
    return f"{target.problem}, {target.classes} classes: {shown}"


def _count(model: nn.Module, trainable: bool) -> int:
    return sum(p.numel() for p in model.parameters() if p.requires_grad or not trainable)


def _shape(shape: Any, rows: int | None = None) -> str:
    """With the batch axis in front, as None or as the number of rows; `(404,)` as Python writes it."""
    return str((rows, *shape))


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
