"""Mean and deviation of inputs that were taken from held-out rows too: a small leak (book 3.6.2)."""

from __future__ import annotations

from dlrun.guarding import Context


def build() -> Normalisation:
    """Speaks of inputs with `standardize: pool` where rows are held out for validation."""
    return Normalisation()


class Normalisation:
    """See `build`."""

    def check(self, context: Context) -> list[str]:
        """One sentence per input."""
        held_out = max((len(split.val) for split in context.splits), default=0)
        if not held_out:
            return []
        args = context.config.dataset.args
        key = next((f"dataset.{key}" for key, value in args.items() if value == "pool"), "the input's standardize")
        return [
            f"mean and deviation of input '{name}' come from all {len(context.data.train):,} rows outside the test "
            f"set, {held_out:,} validation rows among them: the model knows something of the rows it is scored on, as "
            f"in the book's 3.6.2. Set {key}=train to take both from each split's training rows"
            for name, given in context.data.spec.inputs.items()
            if given.standardize == "pool"
        ]
