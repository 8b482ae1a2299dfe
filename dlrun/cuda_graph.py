"""An update of a program as a CUDA graph: all its kernels started by one call."""

from __future__ import annotations

import torch
from torch import Tensor

from dlrun.compiler import Call
from dlrun.program import Program

WARM_UPS = 3


def captured(program: Program) -> Call:
    """Capture the update. What the captured runs learn is undone. Raises RuntimeError where it can't be captured."""
    inputs = program.example()
    first = len(program.fixed())
    turn = [t.clone() for t in inputs[first:]]  # the graph reads what belongs to an update from here
    inputs[first:] = turn
    with program.restored(), torch.cuda.device(program.device):
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(WARM_UPS):
                program.update(*inputs)
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            kept = program.update(*inputs)

    def call(given: list[Tensor]) -> list[Tensor]:
        for static, now in zip(turn, given[first:], strict=True):
            static.copy_(now)
        graph.replay()
        return [t.clone() for t in kept]

    return call
