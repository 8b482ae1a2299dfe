"""Rows that are windows into a series, which is in memory once."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Windows:
    """Rows that are windows into one series, which is held once: row i is `steps` rows of the series from `starts[i]`
    on, one in every `step`. What it knows ends before its reference row, which is `ahead` rows after its newest one.

    phases: float32 [step, Q, C], in which row t of the series is `[t % step, t // step]`: so dealt out, a window is one
    piece of memory. length: rows of the series, T; what fills the last places is none. starts: int64 [N], on the same
    device.
    """

    phases: Tensor
    length: int
    starts: Tensor
    steps: int
    ahead: int = 1

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, row: int) -> Tensor:
        """One window, [steps, C]."""
        line, phase = divmod(int(self.starts[row]), self.step)
        return self.phases[phase, line : line + self.steps]

    @property
    def step(self) -> int:
        """Rows of the series from one row of a window to the next."""
        return self.phases.shape[0]

    @property
    def span(self) -> int:
        """Rows of the series from a window's first one to its newest one."""
        return (self.steps - 1) * self.step

    def of(self, rows: Tensor) -> Tensor:
        """Some of the windows, int64 [B], as a new tensor [B, steps, C]: one gather of whole pieces."""
        step, lines, channels = self.phases.shape
        pieces = self.phases.as_strided((step * lines - self.steps + 1, self.steps * channels), (channels, 1))
        places = self._places(self.starts.index_select(0, rows))
        return pieces.index_select(0, places).view(len(rows), self.steps, channels)

    def newest(self) -> Tensor:
        """The last row that each window has, [N, C]."""
        return self.values(self.starts + self.span)

    def values(self, rows: Tensor) -> Tensor:
        """Rows of the series by their numbers, int64 [M], as [M, C]."""
        return self.phases.flatten(0, 1).index_select(0, self._places(rows))

    def covered(self, windows: Tensor) -> Tensor:
        """The numbers of the rows from the start of any of some windows to its reference row: int64 [M], in order."""
        starts = self.starts.index_select(0, windows)
        ends = (starts + self.span + self.ahead + 1).clamp(max=self.length)
        changes = torch.zeros(self.length + 1, dtype=torch.int32, device=starts.device)
        one = torch.ones((), dtype=torch.int32, device=starts.device).expand(len(starts))
        changes.index_add_(0, starts, one).index_add_(0, ends, -one)
        return (changes.cumsum(0)[:-1] > 0).nonzero().flatten()

    def _places(self, rows: Tensor) -> Tensor:
        """Where rows of the series are in memory."""
        return rows % self.step * self.phases.shape[1] + rows // self.step


def dealt(series: Tensor, step: int) -> Tensor:
    """A series [T, C] as the `phases` of windows with such a step; with 1 the same memory."""
    lines = -(-len(series) // step)
    filled = torch.nn.functional.pad(series, (0, 0, 0, lines * step - len(series))) if len(series) % step else series
    return filled.reshape(lines, step, -1).transpose(0, 1).contiguous()
