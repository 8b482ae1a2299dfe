"""Classes whose shares differ between the sides of a split by more than chance (book 4.2.2)."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from dlrun.contracts import Split, TargetSpec
from dlrun.guarding import Context
from dlrun.guards._words import over_splits
from dlrun.types import Positive, Rate

SHUFFLE = "Shuffle before splitting (evaluation.order=shuffled, or shuffle=true), or set evaluation.stratify=true"
EXPECTED = 5  # rows of a class on either side, below which the chi-square test does not hold


def build(*, p: Rate = 0.0001, difference: Positive = 0.2) -> ClassBalance:
    """p: of the chi-square test, below which a difference is no chance. difference: of the class that differs most,
    relative to its share of the training rows; smaller ones are left unsaid."""
    return ClassBalance(p, difference)


class ClassBalance:
    """See `build`."""

    def __init__(self, p: float, difference: float):
        self.p, self.difference = p, difference

    def check(self, context: Context) -> list[str]:
        """Binary and multiclass targets: each split's two sides, then the test set against all other rows."""
        targets = context.data.spec.targets.items()
        found = [self._of(context, n, t) for n, t in targets if t.problem in ("binary", "multiclass")]
        return [sentence for said in found for sentence in said]

    def _of(self, context: Context, name: str, target: TargetSpec) -> list[str]:
        labels = _labels(context.data.train.targets[name])

        def count(some: np.ndarray) -> np.ndarray:
            return np.bincount(some, minlength=max(target.classes, 2))

        def validation(split: Split) -> str:
            train, val = count(labels[split.train]), count(labels[split.val])
            return self._compare(train, val, target, "validation rows{where}", SHUFFLE)

        said = over_splits(context.splits, validation)
        if context.data.test is not None:
            test = count(_labels(context.data.test.targets[name]))
            if sentence := self._compare(count(labels), test, target, "test rows", "Draw the test set at random"):
                said.append(sentence)
        return said or self._single(context, name, target, labels)

    def _single(self, context: Context, name: str, target: TargetSpec, labels: np.ndarray) -> list[str]:
        """Classes with one row in all the data."""
        test = context.data.test
        held_out = test is not None or any(len(split.val) for split in context.splits)
        everything = labels if test is None else np.concatenate([labels, _labels(test.targets[name])])
        single = np.flatnonzero(np.bincount(everything) == 1)
        if not held_out or not len(single):
            return []
        return [
            f"{len(single)} class(es) have a single row in all the data ({_names(target, single)}): it can't be both "
            "trained on and scored (book 4.2.2). Collect more rows of them, or leave them out"
        ]

    def _compare(self, train: np.ndarray, held_out: np.ndarray, target: TargetSpec, what: str, advice: str) -> str:
        """Two counts by class, [classes]; nothing, or the sentence."""
        absent = np.flatnonzero((train == 0) & (held_out > 0))
        if len(absent):
            return (
                f"{held_out[absent].sum():,} of {held_out.sum():,} {what} are of {len(absent)} class(es) without any "
                f"training row ({_names(target, absent)}): a model can't learn what it has never seen (book 4.2.2). "
                f"{advice}"
            )
        hoped = train / max(train.sum(), 1) * held_out.sum()
        unseen = np.flatnonzero((held_out == 0) & (hoped >= (EXPECTED if target.problem == "multiclass" else 1e-9)))
        if len(unseen):
            return (
                f"none of the {held_out.sum():,} {what} is of class {_names(target, unseen)}, which "
                f"{train[unseen].sum():,} training rows are of: the score says nothing about it (book 4.2.2). {advice}"
            )
        most, statistic, freedom = _chi_square(train, held_out)
        shares = train[most] / max(train.sum(), 1), held_out[most] / max(held_out.sum(), 1)
        if not freedom or abs(shares[1] - shares[0]) < self.difference * shares[0]:
            return ""
        from scipy.special import chdtrc

        if chdtrc(freedom, statistic) >= self.p:
            return ""
        return (
            f"class {_name(target, most)} is {100 * shares[0]:.3g} % of the training rows and {100 * shares[1]:.3g} % "
            f"of the {what}, more than chance allows: these rows stand for other data than those trained on "
            f"(book 4.2.2). {advice}"
        )


def _labels(target: Tensor) -> np.ndarray:
    """Class indices [N] or one-hot rows [N, C] to int64 [N]."""
    return (target.argmax(-1) if target.ndim > 1 else target.long()).numpy()


def _name(target: TargetSpec, number: int) -> str:
    return f"'{target.labels[number]}'" if number < len(target.labels) else str(number)


def _names(target: TargetSpec, classes: np.ndarray) -> str:
    """The first five."""
    return ", ".join(_name(target, c) for c in classes[:5]) + (", …" if len(classes) > 5 else "")


def _chi_square(train: np.ndarray, held_out: np.ndarray) -> tuple[int, float, int]:
    """Of two counts [classes]: the class that adds most, the statistic and its degrees of freedom; rare classes
    count as one."""
    expected = np.outer([train.sum(), held_out.sum()], train + held_out) / max(train.sum() + held_out.sum(), 1)
    common = expected.min(0) >= EXPECTED
    parts = np.where(common, (np.stack([train, held_out]) - expected) ** 2 / np.maximum(expected, 1), 0.0).sum(0)
    rare_expected = expected[:, ~common].sum(1)
    rare = np.array([train[~common].sum(), held_out[~common].sum()]) - rare_expected
    together = rare_expected.min() >= EXPECTED
    statistic = parts.sum() + ((rare**2 / rare_expected).sum() if together else 0.0)
    return int(parts.argmax()), float(statistic), max(int(common.sum()) + int(together) - 1, 0)
