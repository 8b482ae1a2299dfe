"""Rows of several inputs as a user types them: a JSON object by input name."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dlrun.contracts import InputSpec, Rows
from dlrun.datasets import _made_words
from dlrun.datasets._image_pixels import decode, reason
from dlrun.errors import DataError, available, nearest

Reader = Callable[[Any, InputSpec, str], Tensor]


def row(raw: str, inputs: Mapping[str, InputSpec], readers: Mapping[str, Reader] | None = None) -> Rows:
    """One row from `{"text": …, "question": …}`, or of a single input from its value alone.

    Tokens are words or a list of numbers (`tokens`), pictures the paths of files (`picture`), other inputs nested
    lists of numbers (`values`). readers: by input name, for those that are read otherwise. Raises DataError for text
    that is no JSON object, missing and unknown names, and values that can't be read.
    """
    given = _object(raw, inputs)
    missing = [name for name in inputs if name not in given]
    unknown = [name for name in given if name not in inputs]
    if missing or unknown:
        said = [f"nothing for {', '.join(missing)}"] if missing else []
        said += [f"'{name}' is no input. {nearest(name, missing or inputs)}".rstrip() for name in unknown]
        raise DataError(f"input: {'; '.join(said)} ({available(inputs)})")
    read = {name: _reader(spec) for name, spec in inputs.items()} | dict(readers or {})
    return Rows({name: read[name](given[name], spec, name) for name, spec in inputs.items()}, {})


def values(given: Any, spec: InputSpec, name: str) -> Tensor:
    """Nested lists of numbers to float32 [1, *shape]. Raises DataError."""
    wanted = f"input '{name}': expected numbers in nested lists of shape {spec.shape}"
    try:
        found = torch.from_numpy(np.array(given, np.float64)[None]).float()
    except (TypeError, ValueError, OverflowError):
        raise DataError(wanted) from None
    if found.shape[1:] != spec.shape:
        raise DataError(f"{wanted}; received shape {tuple(found.shape[1:])}")
    if not bool(found.isfinite().all()):
        raise DataError(f"{wanted}, each finite in float32")
    return found


def picture(given: Any, spec: InputSpec, name: str) -> Tensor:
    """The path of a picture file, stretched to the size of the input, to uint8 [1, height, width, 3]. Raises
    DataError."""
    height, width, _ = spec.shape
    try:
        pixels = decode(Path(given), (height, width), "rgb")
    except (OSError, ValueError, TypeError) as error:
        why = f": {reason(error)}" if not isinstance(error, TypeError) else ""
        raise DataError(f"input '{name}': expected the path of a picture file, received {given!r}{why}") from None
    return torch.from_numpy(pixels.copy())[None]


def tokens(given: Any, spec: InputSpec, name: str) -> Tensor:
    """Words, or a list of their numbers, to int32 [1, T]; fewer than T are padded with 0 in front. Raises
    DataError."""
    most, length = spec.vocabulary - 1, spec.shape[0]
    wanted = f"input '{name}': expected at most {length} words, or a list of numbers from 0 to {most:,}"
    if isinstance(given, str):
        found = {word: _made_words.number(word, spec.vocabulary) for word in given.split()}
        strange = next((word for word, number in found.items() if number is None), None)
        if strange:
            example = _made_words.text(range(1, min(4, spec.vocabulary)), spec.vocabulary)
            raise DataError(f"{wanted}; '{strange}' is no word of these made texts, which look like '{example}'")
        numbers: list[Any] = [found[word] for word in given.split()]
    elif isinstance(given, list):
        numbers = given
        wrong = [n for n in numbers if isinstance(n, bool) or not isinstance(n, int) or not 0 <= n <= most]
        if wrong:
            raise DataError(f"{wanted}; received {wrong[0]!r}")
    else:
        raise DataError(f"{wanted}; received {type(given).__name__}")
    if not 0 < len(numbers) <= length:
        raise DataError(f"{wanted}; received {len(numbers)}")
    return torch.tensor([[0] * (length - len(numbers)) + numbers], dtype=torch.int32)


def _object(raw: str, inputs: Mapping[str, InputSpec]) -> dict[str, Any]:
    """Of a single input the value may stand alone."""
    names = ", ".join(f'"{name}": …' for name in inputs)
    try:
        given = json.loads(raw)
    except ValueError:
        given = raw
    if isinstance(given, dict):
        return given
    if len(inputs) == 1:
        return dict.fromkeys(inputs, given)
    shown = raw if len(raw) <= 60 else raw[:59] + "…"
    raise DataError(f"expected a JSON object {{{names}}}, received {shown!r}")


def _reader(spec: InputSpec) -> Reader:
    if spec.encoding == "tokens":
        return tokens
    return picture if len(spec.shape) == 3 and spec.divide_by != 1.0 else values
