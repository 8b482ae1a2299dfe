"""Whether operations are being recorded to be compiled: layers then take forms that a compiler can see through."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

_traced = False


@contextmanager
def traced() -> Iterator[None]:
    """Operations inside are recorded."""
    global _traced
    before, _traced = _traced, True
    try:
        yield
    finally:
        _traced = before


def tracing() -> bool:
    """By us or by torch's own compiler."""
    return _traced or torch.compiler.is_compiling()
