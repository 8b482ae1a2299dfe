"""The tensor operations of the book's section 2.3 as plain Python loops over lists."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

Matrix = list[list[float]]


def relu(x: Matrix) -> Matrix:
    """max(x, 0) per entry, into a new matrix."""
    return [[value if value > 0 else 0.0 for value in row] for row in x]


def each(x: Tensor, y: Tensor, operation: Callable[[float, float], float]) -> Matrix:
    """An operation entry by entry. x and y: [N, M]."""
    return [[operation(a, b) for a, b in zip(r, s, strict=True)] for r, s in zip(x.tolist(), y.tolist(), strict=True)]


def add(x: list[float], y: list[float]) -> list[float]:
    """Sum of two vectors."""
    return [a + b for a, b in zip(x, y, strict=True)]


def maximum(x: Matrix, y: Matrix) -> Matrix:
    """The larger one of each pair of entries."""
    return [[max(a, b) for a, b in zip(r, s, strict=True)] for r, s in zip(x, y, strict=True)]


def dot(x: list[float], y: list[float]) -> float:
    """Sum of products of two vectors of equal length."""
    total = 0.0
    for a, b in zip(x, y, strict=True):
        total += a * b
    return total


def matrix_vector(x: Matrix, y: list[float]) -> list[float]:
    """Double loop: [N, M].[M] gives [N]."""
    result = [0.0] * len(x)
    for i, row in enumerate(x):
        for j, value in enumerate(row):
            result[i] += value * y[j]
    return result


def matrix_dot(x: Matrix, y: Matrix) -> Matrix:
    """[A, B].[B, C] gives [A, C]: every row with every column."""
    columns = list(zip(*y, strict=True))
    return [[dot(row, list(column)) for column in columns] for row in x]
