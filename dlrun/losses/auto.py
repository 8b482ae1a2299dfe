"""The loss that table 4-1 gives for the target's problem; for several targets the sum of theirs."""

from __future__ import annotations

from dlrun.contracts import AnyLoss, DataSpec, Loss
from dlrun.errors import ConfigError, Problem
from dlrun.losses import binary_crossentropy, categorical_crossentropy, mse
from dlrun.losses._class_weight import ClassWeight, resolved
from dlrun.losses._rows import target_name
from dlrun.losses._sum import Sum
from dlrun.losses._table import TABLE

CLASSES = {
    "binary_crossentropy": binary_crossentropy.build,
    "categorical_crossentropy": categorical_crossentropy.build,
}


def build(spec: DataSpec, *, target: str | None = None, class_weight: ClassWeight | None = None) -> AnyLoss:
    """target: the one to train on alone (book section 4.5.5); None takes all, each of them counting 1 (7.1.3).

    class_weight: as in the crossentropies; "balanced" holds for all targets of classes. Raises ConfigError.
    """
    if target is not None or len(spec.targets) == 1:
        return single(spec, target, class_weight)
    of_classes = [name for name, known in spec.targets.items() if known.problem in ("binary", "multiclass")]
    if isinstance(class_weight, dict) or (class_weight and not of_classes):
        message = (
            f"the data have {len(spec.targets)} targets: expected null or balanced, the latter for those of classes"
        )
        raise ConfigError(Problem("loss.class_weight", message, "set loss.target, or loss=per_output"))
    losses = {name: single(spec, name, class_weight if name in of_classes else None) for name in spec.targets}
    return Sum("auto", losses, dict.fromkeys(losses, 1.0))


def single(spec: DataSpec, target: str | None, class_weight: ClassWeight | None) -> Loss:
    """That of one target."""
    key = target_name(spec, target, "loss.target")
    name = TABLE[spec.targets[key].problem][0]
    if name in CLASSES:
        return CLASSES[name](spec, target=key, class_weight=class_weight)
    resolved(spec, key, class_weight)  # refuses any
    return mse.build(spec, target=key)
