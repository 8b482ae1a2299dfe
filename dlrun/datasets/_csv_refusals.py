"""What is said of values that a table should not have, and what to write instead."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

import numpy as np

from dlrun.datasets._csv_file import number

SHOWN = 3

_DECIMAL = re.compile(r"[+-]?\d*(\.\d{3})*,\d+([eE][+-]?\d+)?")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?")


def comma(text: str) -> str:
    """What to write where a number has a comma: a decimal comma, or one between thousands. Else nothing."""
    text = text.strip()
    plain = text.replace(",", "")
    if _DECIMAL.fullmatch(text):
        point = text.replace(".", "").replace(",", ".")
        either = f" (or {plain}, if it separates thousands)" if _THOUSANDS.fullmatch(text) else ""
        return f"'{text}' looks like a decimal comma: write {point}{either}"
    return f"'{text}' has commas between thousands: write {plain}" if _THOUSANDS.fullmatch(text) else ""


def commas(texts: Sequence[str]) -> list[int]:
    """The places of numbers with a comma, where nine in ten texts are numbers with or without one; else none."""
    found = [i for i, text in enumerate(texts) if comma(text)]
    plain = sum(number(text) is not None for text in texts) if found else 0
    return found if len(found) + plain >= 0.9 * len(texts) else []


def too_many(where: str, name: str, count: str, examples: Collection[str], is_target: bool = False) -> str:
    """The refusal of a text column. count: of its different values, in words."""
    first = list(examples)[:SHOWN]
    shown = ", ".join(f"'{e if len(e) < 30 else e[:29] + '…'}'" for e in first)
    if is_target:
        return (
            f"{where}: the target, column '{name}', has {count} different values, such as {shown}: {no_classes(first)}"
        )
    if all(map(comma, first)):
        return f"{where}: column '{name}' has {count} different texts: {comma(first[0])}"
    return (
        f"{where}: column '{name}' has {count} different texts, such as {shown}: too many for categories (columns of "
        f"free text come in a later version). Leave it out with 'dataset.drop=[{name}]', choose inputs with "
        f"dataset.columns, or, if these are categories, say 'dataset.categorical=[{name}]'"
    )


def no_classes(values: Collection[str]) -> str:
    """Why values, or some of them, are no classes of a target, and what to do."""
    if all(number(value) is not None for value in values):
        return "they are numbers. Set dataset.problem=regression"
    if all(map(comma, values)):
        return comma(next(iter(values)))
    return "they are no classes. Choose another dataset.target"


def bad_number(text: str, expected: str = "expected a number") -> str:
    """`expected …, received …` for a text that is no number float32 can hold."""
    value = number(text)
    if value is not None and not abs(value) <= float(np.finfo(np.float32).max):
        return f"expected a finite number up to 3.4e38 (float32), received '{text}'"
    hint = comma(text)
    return f"{expected}, received '{text}'" + (f": {hint}" if hint else "")
