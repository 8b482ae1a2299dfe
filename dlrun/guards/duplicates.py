"""The same input row on both sides of a split, or in the test set too (book 4.2.2)."""

from __future__ import annotations

from dlrun.contracts import Split
from dlrun.guarding import Context
from dlrun.guards._identity import copies
from dlrun.guards._words import over_splits, share
from dlrun.types import Rate

WHY = "the score on them rewards memory, not learning (book 4.2.2). Remove the copies from the data"


def build(*, share: Rate = 0.01) -> Duplicates:
    """share: of the held-out rows that are copies of others, from which on it is said. Fewer can't move a score by more
    than that."""
    return Duplicates(share)


class Duplicates:
    """See `build`."""

    def __init__(self, share: float):
        self.share = share

    def check(self, context: Context) -> list[str]:
        """Compares all rows, or says which share of them."""
        rows = context.identities
        # A copy in a sample shows only when its twin was drawn too.
        least = self.share * rows.share

        def validation(split: Split) -> str:
            val, train = rows.train[split.val], rows.train[split.train]
            found, looked_at = copies(val, train), int((val >= 0).sum())
            if not found or found < least * looked_at:
                return ""
            return f"{share(found, looked_at)} validation rows{{where}} occur among the training rows too: {WHY}"

        said = over_splits(context.splits, validation)
        if rows.test is not None:
            found, looked_at = copies(rows.test, rows.train), int((rows.test >= 0).sum())
            if found and found >= least * looked_at:
                said.append(f"{share(found, looked_at)} test rows occur outside the test set too: {WHY}")
        if rows.share < 1:
            result = "and holds these copies at least" if said else "and holds no such copies"
            said.append(
                f"the data are large: only a sample of {100 * rows.share:.2g} % of the rows was searched for copies "
                f"across splits, {result}. Search all of them before you trust the score"
            )
        return said
