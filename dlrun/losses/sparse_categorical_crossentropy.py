"""Categorical cross-entropy on class indices: the same mathematics, another interface."""

from __future__ import annotations

from dlrun.contracts import DataSpec, Loss
from dlrun.losses import categorical_crossentropy
from dlrun.losses._class_weight import ClassWeight


def build(spec: DataSpec, *, target: str | None = None, class_weight: ClassWeight | None = None) -> Loss:
    """The book's `reuters_dense_sparse` (3.5.6); targets are class indices [B].

    target: the one to read, may be left out where there is only one. class_weight: as in `categorical_crossentropy`.
    Raises ConfigError.
    """
    return categorical_crossentropy.build(spec, target=target, class_weight=class_weight)
