"""Reviews of word ranks as tensors, in Keras's order."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from dlrun.datasets._imdb_raw import Part
from dlrun.datasets._texts import SEED, columns


def encode_parts(parts: Mapping[str, Part], num_words: int, index_from: int) -> dict[str, Tensor]:
    """Columns of both parts, in the order of current Keras (train shuffled, the stream goes on for test).

    For a part `p`: `p_sequence_*` and `p_review_*` as `_texts.columns` gives them; `p_sentiment` float32 [N].
    """
    random = np.random.RandomState(SEED)
    found: dict[str, Tensor] = {}
    for name in ("train", "test"):
        sequences, labels = parts[name]
        order = np.arange(len(sequences))
        random.shuffle(order)
        found |= columns(name, "review", [sequences[i] for i in order], num_words, index_from)
        found[f"{name}_sentiment"] = torch.from_numpy(np.array(labels, np.float32)[order])
    return found
