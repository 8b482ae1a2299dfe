"""Rows of different lengths to draw batches from."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from dlrun.contracts import Bags


class Ragged:
    """All rows of one column of `Bags`. On the CPU they are the rows of a scipy matrix, which picks rows in a
    third of torch's time; elsewhere torch's operators do it without waiting for the device.

    lengths: int64 [N], on the host.
    """

    def __init__(self, bags: Bags, vocabulary: int):
        self.bags = bags
        self.lengths = (bags.offsets[1:] - bags.offsets[:-1]).cpu()
        self.rows = None
        if bags.values.device.type == "cpu":
            from scipy.sparse import csr_matrix

            values = bags.values[: int(bags.offsets[-1])].numpy()
            ones = np.ones(len(values), dtype=np.int8)
            shape = (len(bags.offsets) - 1, vocabulary)
            self.rows = csr_matrix((ones, values, bags.offsets.numpy()), shape=shape, copy=False)

    def batches(self, flat: Tensor, there: Tensor, shapes: list[torch.Size]) -> list[Bags]:
        """One `Bags` per shape, [B] or [K, B]. flat: their rows [T] on the host; there: the same on the device.

        Sizes come from the host, so that a GPU is never waited for.
        """
        values, offsets, ends = self._take(flat, there)

        def part(first: int, last: int) -> Bags:
            begin, end = int(ends[first]), int(ends[last])
            return Bags(values[begin:end], offsets[first : last + 1] - begin)

        batches, first = [], 0
        for shape in shapes:
            size = shape[-1]
            members = [part(first + k * size, first + (k + 1) * size) for k in range(shape.numel() // size)]
            batches.append(members[0] if len(shape) == 1 else _stack(members))
            first += shape.numel()
        return batches

    def _take(self, flat: Tensor, there: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Values and offsets of the rows, and the offsets once more on the host."""
        if self.rows is not None:
            chosen = self.rows[flat.numpy()]
            ends = torch.from_numpy(chosen.indptr).long()
            return torch.from_numpy(chosen.indices), ends, ends
        values, offsets = self.bags
        ends = torch.nn.functional.pad(self.lengths[flat].cumsum(0), (1, 0))
        starts = offsets[there]
        sizes = offsets[there + 1] - starts
        taken = torch.nn.functional.pad(sizes.cumsum(0), (1, 0))
        # Half as wide an index is half the memory to go through.
        dtype = torch.int32 if len(values) < 2**31 else torch.int64
        shift = torch.repeat_interleave((starts - taken[:-1]).to(dtype), sizes, output_size=int(ends[-1]))
        shift.add_(torch.arange(len(shift), dtype=dtype, device=shift.device))
        return values.index_select(0, shift), taken, ends


def _stack(members: list[Bags]) -> Bags:
    """K bags as one with a leading axis; the shorter ones are padded after their last offset."""
    values = torch.nn.utils.rnn.pad_sequence([m.values for m in members], batch_first=True)
    return Bags(values, torch.stack([m.offsets for m in members]))
