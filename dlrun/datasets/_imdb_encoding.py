"""From word ranks to what a model reads: Keras's order and indices, and the multi-hot form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np
import torch
from torch import Tensor

from dlrun.contracts import Bags
from dlrun.datasets._imdb_raw import Part

SEED = 113  # of Keras's shuffle, which fixes the order that positional splits rely on
START, OOV = 1, 2  # start of a review; a word outside the vocabulary. 0 stands for padding


def encode_parts(parts: Mapping[str, Part], num_words: int, index_from: int) -> dict[str, Tensor]:
    """Columns of both parts, in the order of current Keras (train shuffled, the stream goes on for test).

    For a part `p`: `p_sequence_*` the reviews in order with their start mark, `p_review_*` the same as
    multi-hot rows, each as `values` int32 [T] and `offsets` int64 [N + 1]; `p_sentiment` float32 [N].
    """
    random = np.random.RandomState(SEED)
    columns = {}
    for name in ("train", "test"):
        sequences, labels = parts[name]
        order = np.arange(len(sequences))
        random.shuffle(order)
        reviews = indices([sequences[i] for i in order], num_words, index_from)
        bags = multi_hot(reviews, num_words)
        columns[f"{name}_sequence_values"], columns[f"{name}_sequence_offsets"] = reviews
        columns[f"{name}_review_values"], columns[f"{name}_review_offsets"] = bags
        columns[f"{name}_sentiment"] = torch.from_numpy(np.array(labels, np.float32)[order])
    return columns


def indices(sequences: Sequence[Sequence[int]], num_words: int, index_from: int) -> Bags:
    """Reviews of ranks as indices: START, then ranks + `index_from`, with OOV for `num_words` and above."""
    lengths = np.array([len(s) + 1 for s in sequences], np.int64)
    offsets = np.concatenate([[0], lengths.cumsum()])
    ranks = np.fromiter(chain.from_iterable(chain((START - index_from,), s) for s in sequences), np.int32)
    values = ranks + np.int32(index_from)
    values[values >= num_words] = OOV
    return Bags(torch.from_numpy(values), torch.from_numpy(offsets))


def multi_hot(reviews: Bags, num_words: int) -> Bags:
    """Each row's distinct indices, ascending: where a 0/1 vector of `num_words` has its ones."""
    offsets = reviews.offsets.numpy()
    rows = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    # One sort for all rows, row and index in one number. np.unique would hash them: 50 times slower here.
    both = np.sort(rows * num_words + reviews.values.numpy())
    distinct = both[np.diff(both, prepend=-1) > 0]
    rows, values = np.divmod(distinct, num_words)
    lengths = np.bincount(rows, minlength=len(offsets) - 1)
    return Bags(
        torch.from_numpy(values.astype(np.int32)),
        torch.from_numpy(np.concatenate([[0], lengths.cumsum()])),
    )
