"""How guards speak of splits: once for all of them, by the first that something was found in."""

from __future__ import annotations

from collections.abc import Callable

from dlrun.contracts import Split


def over_splits(splits: list[Split], find: Callable[[Split], str]) -> list[str]:
    """What `find` says of the first split that it has something to say about, `{where}` filled in, and of how many
    of those with validation rows that holds."""
    validated = [split for split in splits if len(split.val)]
    said = [(split, text) for split in validated if (text := find(split))]
    if not said:
        return []
    split, text = said[0]
    where = f" of split {split.name} ({len(said)} of {len(validated)} splits are like it)" if len(validated) > 1 else ""
    return [text.replace("{where}", where)]


def share(count: int, total: int) -> str:
    """`51 of 10,000 (0.51 %)`."""
    return f"{count:,} of {total:,} ({100 * count / total:.3g} %)"
