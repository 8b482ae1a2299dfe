"""The tables of `dlrun show`: layers with shapes and parameters, and the data card."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dlrun.assembly import Parts
from dlrun.contracts import Bags, Column, Data, Dataset, TargetSpec


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


def card(dataset: Dataset, data: Data) -> list[list[Any]]:
    """What the data are: rows, shapes, types, ranges, classes, and three rows as a person reads them."""
    rows: list[list[Any]] = [["source", data.source]]
    spec = dataset.spec
    for part, there in (("train", data.train), ("test", data.test)):
        if there is None:
            continue
        rows.append([f"{part} rows", f"{len(there):,}"])
        rows += [[f"{part} {name}", _column(c, spec.inputs[name].shape)] for name, c in there.inputs.items()]
        rows += [[f"{part} {name}", _target(t, spec.targets[name])] for name, t in there.targets.items()]
    described = [dataset.describe(data, "train", i) for i in range(min(3, len(data.train)))]
    rows += [[f"train[{i}]", text if len(text) <= 300 else text[:299] + "…"] for i, text in enumerate(described)]
    return rows


def _column(column: Column, shape: tuple[int, ...]) -> str:
    if isinstance(column, Bags):
        sizes = (column.offsets[1:] - column.offsets[:-1]).numpy()
        return (
            f"multi-hot {_shape(shape)}, kept as indices {int(column.values.min())} to {int(column.values.max())}; "
            f"{sizes.mean():.0f} a row ({sizes.min()} to {sizes.max()})"
        )
    missing = int(column.isnan().sum()) if column.is_floating_point() else 0
    known = column[~column.isnan()] if missing else column
    ranges = f"{float(known.min()):g} to {float(known.max()):g}" if known.numel() else "all missing"
    more = f", {missing:,} missing" if missing else ""
    return f"{_shape(column.shape[1:])} {_dtype(column)}, {ranges}{more}"


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


def _shape(shape: Any) -> str:
    return "(" + ", ".join(["None", *map(str, shape)]) + ")"


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
