"""A validation set that is the test set: what was chosen on it is not tested any more (book 4.2.1, 4.4)."""

from __future__ import annotations

from dlrun.contracts import Split
from dlrun.guarding import Context
from dlrun.guards._identity import copies
from dlrun.guards._words import over_splits, share
from dlrun.types import Rate

WHY = (
    "epochs and settings chosen by the validation score are chosen on the test set, which then measures nothing new "
    "(book 4.2.1; the book's own 4.4 does so)"
)


def build(*, share: Rate = 0.9) -> ValidationIsTest:
    """share: of the validation rows that occur in the test set, from which on the two count as one."""
    return ValidationIsTest(share)


class ValidationIsTest:
    """See `build`."""

    def __init__(self, share: float):
        self.share = share

    def check(self, context: Context) -> list[str]:
        """By what the evaluation says of itself, else by the rows."""
        if getattr(context.parts.evaluation, "validates_on", "") == "test":
            return [f"the test set is the validation set: {WHY}. Hold out training rows: evaluation.validation=0.2"]
        rows = context.identities
        test = rows.test
        if test is None:
            return []

        def validation(split: Split) -> str:
            val = rows.train[split.val]
            found, looked_at = copies(val, test), int((val >= 0).sum())
            if not found or found < self.share * rows.share * looked_at:
                return ""
            advice = "Take the validation rows from elsewhere"
            return f"{share(found, looked_at)} validation rows{{where}} are in the test set: {WHY}. {advice}"

        return over_splits(context.splits, validation)
