"""Argument types that say their range; pydantic checks the YAML against them before anything is built."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

Count = Annotated[int, Field(ge=1)]
"""A whole number, at least 1."""

Natural = Annotated[int, Field(ge=0)]
"""A whole number, at least 0."""

Positive = Annotated[float, Field(gt=0)]
"""A number above 0."""

NonNegative = Annotated[float, Field(ge=0)]
"""A number, at least 0."""

Rate = Annotated[float, Field(ge=0, lt=1)]
"""A share: at least 0 and below 1."""
