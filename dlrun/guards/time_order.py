"""Held-out rows that are not all later than the rows trained on: the future is known (book 4.2.2)."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlrun.contracts import Split
from dlrun.guarding import Context
from dlrun.guards._words import over_splits, share

WHY = "a model that predicts the future must not have seen it (book 4.2.2)"


def build() -> TimeOrder:
    """Speaks of data that say when their rows were: `extras["time"]` [N], `extras["test_time"]` [M], anything that
    sorts; missing times (NaN, NaT) are left out."""
    return TimeOrder()


class TimeOrder:
    """See `build`."""

    def check(self, context: Context) -> list[str]:
        """Each split's two sides, then the test set against all other rows. Equal times are in order."""
        extras = context.data.extras
        if extras.get("time") is None:
            return []
        time = np.asarray(extras["time"])

        def validation(split: Split) -> str:
            found = _early(time[split.train], time[split.val])
            if not found:
                return ""
            advice = "Hold out the last rows: evaluation=holdout evaluation.order=chronological"
            if context.data.validation:
                advice = "Hold out those that the data set apart: evaluation=holdout evaluation.validation=given"
            return f"{found} validation rows{{where}} are earlier than the latest training row: {WHY}. {advice}"

        said = over_splits(context.splits, validation)
        if extras.get("test_time") is not None:
            found = _early(time, np.asarray(extras["test_time"]))
            if found:
                advice = "Let the test set be the last rows of the data"
                said.append(f"{found} test rows are earlier than the latest row outside the test set: {WHY}. {advice}")
        return said


def _early(before: Any, after: Any) -> str:
    """How many of the times `after` are earlier than the latest one `before`; nothing for none."""
    before, after = before[before == before], after[after == after]  # NaN and NaT equal nothing
    count = int((after < before.max()).sum()) if len(before) else 0
    return share(count, len(after)) if count else ""
