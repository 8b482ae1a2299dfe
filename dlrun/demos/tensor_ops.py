"""Tensor operations in plain Python loops and as the library has them: same result? how much faster? (2.2, 2.3)"""

from __future__ import annotations

import math
import timeit
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dlrun import console
from dlrun.demos._loops import add, dot, each, matrix_dot, matrix_vector, maximum, relu


def run(folder: Path) -> dict[str, float]:
    """Largest differences between loop and library by operation, and speed-ups. folder: not used, there are no
    pictures."""
    generator = torch.Generator().manual_seed(0)

    def random(*shape: int) -> Tensor:
        return torch.randn(*shape, dtype=torch.float64, generator=generator)

    differences: dict[str, float] = {}
    rows = []
    for name, shapes, difference in checks(random):
        differences[name] = difference
        rows.append([name, shapes, console.number(difference)])
    title = "Loops against library, float64: largest differences"
    console.table(["operation", "shapes", "difference"], rows, title, right=["difference"])
    speedups, rows = {}, []
    for name, size, loop, library in races(random):
        slow, fast = seconds(loop), seconds(library)
        speedups[f"{name}_speedup"] = slow / fast
        rows.append([name, size, f"{slow * 1e3:.3f} ms", f"{fast * 1e3:.4f} ms", f"{slow / fast:.0f} times"])
    columns = ["operation", "size", "python loops", "library", "faster"]
    console.table(columns, rows, "Best of several runs on this machine", right=columns[2:])
    return differences | speedups


def checks(random: Callable[..., Tensor]) -> list[tuple[str, str, float]]:
    """Name, shapes, and largest difference between both ways, for each operation of the book's section 2.3."""
    x, y = random(32, 10), random(32, 10)
    row, kernel = random(10), random(10, 4)
    xs = x.tolist()
    found = [
        ("relu", "(32, 10)", apart(relu(xs), x.clamp(min=0))),
        ("relu_input_kept", "(32, 10)", apart(xs, x)),
        ("add", "(32, 10)", apart(each(x, y, lambda a, b: a + b), x + y)),
        ("subtract", "(32, 10)", apart(each(x, y, lambda a, b: a - b), x - y)),
        ("multiply", "(32, 10)", apart(each(x, y, lambda a, b: a * b), x * y)),
        ("broadcast_add", "(32, 10) + (10,)", apart([add(r, row.tolist()) for r in x.tolist()], x + row)),
        ("broadcast_extra_bytes", "(10,) as (32, 10)", float(storage(row.expand(32, 10)) - storage(row))),
    ]
    big, small = random(64, 3, 32, 10), random(32, 10)
    looped = [[maximum(m, small.tolist()) for m in block] for block in big.tolist()]
    found.append(("broadcast_maximum", "(64, 3, 32, 10), (32, 10)", apart(looped, torch.maximum(big, small))))
    found += [
        ("vector_dot", "(10,).(10,)", abs(dot(x[0].tolist(), row.tolist()) - float(x[0] @ row))),
        ("matrix_vector_dot", "(32, 10).(10,)", apart(matrix_vector(x.tolist(), row.tolist()), x @ row)),
        ("matrix_vector_by_rows", "(32, 10).(10,)", apart([dot(r, row.tolist()) for r in x.tolist()], x @ row)),
        ("matrix_dot", "(32, 10).(10, 4)", apart(matrix_dot(x.tolist(), kernel.tolist()), x @ kernel)),
    ]
    a, b = random(3, 3), random(3, 3)
    found.append(("matrix_dot_order_matters", "(3, 3).(3, 3)", float((a @ b - b @ a).abs().max())))
    deep, last, wide = random(2, 3, 4, 5), random(5), random(5, 6)
    by_vector = [[matrix_vector(m, last.tolist()) for m in block] for block in deep.tolist()]
    by_matrix = [[matrix_dot(m, wide.tolist()) for m in block] for block in deep.tolist()]
    found += [
        ("higher_rank_vector_dot", "(2, 3, 4, 5).(5,)", apart(by_vector, deep @ last)),
        ("higher_rank_matrix_dot", "(2, 3, 4, 5).(5, 6)", apart(by_matrix, deep @ wide)),
    ]
    tall = random(3, 2)
    flat = [value for r in tall.tolist() for value in r]
    found += [
        ("reshape_column", "(3, 2) to (6, 1)", apart([[value] for value in flat], tall.reshape(6, 1))),
        ("reshape_row_major", "(3, 2) to (2, 3)", apart([flat[:3], flat[3:]], tall.reshape(2, 3))),
    ]
    wide = random(300, 20)
    swapped = [list(column) for column in zip(*wide.tolist(), strict=True)]
    found.append(("transpose", "(300, 20) to (20, 300)", apart(swapped, wide.T)))
    found.append(("dense_layer", "relu((32, 10).(10, 4) + (4,))", dense_layer(x, kernel, random(4))))
    return [*found, *geometry()]


def dense_layer(x: Tensor, kernel: Tensor, bias: Tensor) -> float:
    """relu(x . W + b) in loops, against a dense layer of dlrun with these weights. W: [inputs, units]."""
    from dlrun.layers import dense
    from dlrun.layers._spec import TensorSpec

    layer = dense.build(TensorSpec((len(kernel),)), units=len(bias), activation="relu").to(x.dtype)
    with torch.no_grad():
        for parameter, value in zip(layer.parameters(), (kernel, bias), strict=True):
            parameter.copy_(value)
        looped = relu([add(r, bias.tolist()) for r in matrix_dot(x.tolist(), kernel.tolist())])
        return apart(looped, layer(x))


def geometry() -> list[tuple[str, str, float]]:
    """Vectors are added head to tail; a rotation is a 2 x 2 matrix and keeps lengths."""
    a, b = torch.tensor([0.5, 1.0], dtype=torch.float64), torch.tensor([1.0, 0.25], dtype=torch.float64)
    theta = 0.7
    turn = torch.tensor([[math.cos(theta), -math.sin(theta)], [math.sin(theta), math.cos(theta)]], dtype=torch.float64)
    angle = math.atan2(*(turn @ a).flip(0).tolist()) - math.atan2(*a.flip(0).tolist())
    return [
        ("vectors_add", "(2,) + (2,)", apart([1.5, 1.25], a + b)),
        ("rotation_turns_by_theta", "(2, 2).(2,)", abs(angle - theta)),
        ("rotation_keeps_length", "(2, 2).(2,)", abs(float((turn @ a).norm() - a.norm()))),
    ]


def races(random: Callable[..., Tensor]) -> list[tuple[str, str, Callable[[], Any], Callable[[], Any]]]:
    """What is timed: name, size, in loops, by the library. Loops get lists, which Python reads fastest."""
    x, y = random(300, 300), random(300, 300)
    a, b = random(64, 64), random(64, 64)
    xs, ys, as_, bs = x.tolist(), y.tolist(), a.tolist(), b.tolist()
    return [
        ("relu", "(300, 300)", lambda: relu(xs), lambda: x.clamp(min=0)),
        ("add", "(300, 300)", lambda: [add(r, s) for r, s in zip(xs, ys, strict=True)], lambda: x + y),
        ("matrix_dot", "(64, 64).(64, 64)", lambda: matrix_dot(as_, bs), lambda: a @ b),
    ]


def seconds(action: Callable[[], Any]) -> float:
    """Of one call: the best of five rounds of about 20 ms each, after a first one that does not count."""
    timer = timeit.Timer(action)
    timer.timeit(1)
    calls = max(1, round(0.02 / timer.timeit(1)))
    return min(timer.repeat(5, calls)) / calls


def storage(tensor: Tensor) -> int:
    """Bytes of memory behind a tensor or view."""
    return tensor.untyped_storage().nbytes()


def apart(looped: Any, found: Tensor) -> float:
    """Largest difference; infinite where the shapes differ."""
    expected = torch.tensor(looped, dtype=torch.float64)
    return float((expected - found).abs().max()) if expected.shape == found.shape else math.inf
