"""The loss that table 4-1 gives for the target's problem."""

from __future__ import annotations

from dlrun.contracts import DataSpec, Loss
from dlrun.losses import binary_crossentropy, categorical_crossentropy, mse
from dlrun.losses._rows import target_name
from dlrun.losses._table import TABLE

BUILD = {
    "binary_crossentropy": binary_crossentropy.build,
    "categorical_crossentropy": categorical_crossentropy.build,
    "mse": mse.build,
}


def build(spec: DataSpec, *, target: str | None = None) -> Loss:
    """target: the one to read, may be left out where there is only one (book section 4.5.5). Raises
    ConfigError."""
    problem = spec.targets[target_name(spec, target, "loss.target")].problem
    return BUILD[TABLE[problem][0]](spec, target=target)
