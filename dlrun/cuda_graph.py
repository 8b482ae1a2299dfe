"""An update of a program as a CUDA graph: all its kernels started by one call."""

from __future__ import annotations

import torch
from torch import Tensor

from dlrun.compiler import Call
from dlrun.program import Program

WARM_UPS = 3


def captured(program: Program) -> Call:
    """Capture the update. What the captured runs learn is undone. Raises RuntimeError where it can't be captured."""
    inputs = program.inputs
    with program.restored(), torch.cuda.device(program.device):
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(WARM_UPS):
                program.at.zero_()
                program.update(*inputs)
        torch.cuda.current_stream().wait_stream(aside)
        program.at.zero_()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            kept = program.update(*inputs)

    def call(_: list[Tensor]) -> list[Tensor]:
        graph.replay()
        return [t.clone() for t in kept]

    return call
