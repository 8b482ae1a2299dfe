"""Sums over the batches of an epoch, on the device until it ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dlrun.contracts import Output
from dlrun.objective import Objective

Logs = dict[str, float]


class Totals:
    """sums: [S] of one model, [K, S] of a stack; None before the first batch. rows: int [K]. kept: for each batch
    what metrics over all rows keep of it, and how many of its rows are real."""

    def __init__(self, size: int):
        self.sums: Tensor | None = None
        self.rows = np.zeros(size, dtype=np.int64)
        self.kept: list[tuple[dict[str, Tensor], np.ndarray]] = []

    def add(self, output: Output, rows: np.ndarray) -> None:
        """What a batch with `rows` [K] real rows gave."""
        sums = output.sums.detach()
        self.sums = sums.clone() if self.sums is None else self.sums.add_(sums)
        self.rows += rows
        if output.kept:
            self.kept.append((output.kept, rows))

    def compute(self, objective: Objective) -> list[Logs]:
        """Numbers per member; here the device is waited for."""
        assert self.sums is not None
        table = self.sums.cpu().double().reshape(len(self.rows), -1)
        return [
            objective.compute(sums, int(n), self._rows_of(k))
            for k, (sums, n) in enumerate(zip(table, self.rows, strict=True))
        ]

    def _rows_of(self, k: int) -> dict[str, np.ndarray]:
        """What was kept of member k's rows, [N, W] by metric, without padding."""
        kept: dict[str, list[Tensor]] = {}
        for batch, rows in self.kept:
            for name, t in batch.items():
                mine = t if len(rows) == 1 else t[k]
                kept.setdefault(name, []).append(mine[: int(rows[k])])
        return {name: torch.cat(parts).cpu().double().numpy() for name, parts in kept.items()}

    def state_dict(self, members: Sequence[int]) -> dict[str, Any]:
        """Some members' part: tensors and plain data, each [n, …]."""
        size = len(self.rows)
        chosen = torch.tensor(list(members))

        def part(t: Tensor) -> Tensor:
            return (t[None] if size == 1 else t).index_select(0, chosen.to(t.device))

        return {
            "sums": None if self.sums is None else part(self.sums),
            "rows": self.rows[list(members)].tolist(),
            "kept": [({n: part(t) for n, t in b.items()}, rows[list(members)].tolist()) for b, rows in self.kept],
        }

    @classmethod
    def joined(cls, parts: Sequence[dict[str, Any] | None], size: int, device: torch.device) -> Totals:
        """Those of all members from saved parts of the same moment; empty where there are none."""
        totals = cls(size)
        saved = [part for part in parts if part]
        if not saved or any(part["sums"] is None for part in saved):
            return totals

        def whole(tensors: list[Tensor]) -> Tensor:
            joined = torch.cat(tensors).to(device)
            return joined[0] if size == 1 else joined

        totals.sums = whole([part["sums"] for part in saved])
        totals.rows = np.concatenate([part["rows"] for part in saved])
        for batches in zip(*(part["kept"] for part in saved), strict=True):
            names = batches[0][0]
            kept = {name: whole([batch[name] for batch, _ in batches]) for name in names}
            totals.kept.append((kept, np.concatenate([rows for _, rows in batches])))
        return totals
