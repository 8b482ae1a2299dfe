"""A last activation and a loss that table 4-1 of the book does not put together (book 4.5.5)."""

from __future__ import annotations

from dlrun.guarding import Context


def build() -> LastLayer:
    """What can't work at all is an error when a run is assembled; this guard has the rest."""
    return LastLayer()


class LastLayer:
    """See `build`."""

    def check(self, context: Context) -> list[str]:
        """What `losses._table.check` found when the parts were assembled."""
        advice = "Set architecture.output_activation and loss accordingly"
        return [f"{sentence}. {advice}" for sentence in context.parts.warnings]
