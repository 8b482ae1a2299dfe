"""Embedding: each token becomes a row of a table that is learned."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from dlrun.contracts import Masked
from dlrun.errors import ConfigError, Problem
from dlrun.layers._initializers import Initializer, initial
from dlrun.layers._penalty import weight_penalty
from dlrun.layers._spec import TensorSpec
from dlrun.types import Count, NonNegative


def build(
    inputs: TensorSpec,
    *,
    output_dim: Count,
    input_dim: Count | None = None,
    embeddings_initializer: Initializer = "random_uniform",
    mask_zero: bool = False,
    l1: NonNegative = 0.0,
    l2: NonNegative = 0.0,
) -> nn.Module:
    """Keras's Embedding (book section 6.1.2): tokens [B, T] to [B, T, output_dim].

    input_dim: rows of the table; None takes the data's vocabulary, and more rows than that are never read.
    mask_zero: token 0 is padding, which layers after this one skip (`contracts.Masked`). l1, l2: coefficients on the
    table. Raises ConfigError on inputs that are no tokens, and where the table is smaller than the vocabulary.
    """
    if inputs.encoding != "tokens":
        if inputs.encoding == "multi_hot":
            message = f"layer embedding can't read a multi-hot input of shape {inputs.shape}"
            hint = "it needs tokens in their order; a dense layer reads multi-hot rows"
        else:
            message = f"layer embedding expects tokens, received values of shape {inputs.shape}"
            hint = "put it first, on an input whose encoding is tokens"
        raise ConfigError(Problem("architecture", message, hint))
    if input_dim is not None and input_dim < inputs.vocabulary:
        message = f"layer embedding has input_dim={input_dim}, and its tokens are 0 .. {inputs.vocabulary - 1}"
        raise ConfigError(
            Problem("architecture", message, f"set input_dim={inputs.vocabulary} or leave it out, or keep fewer words")
        )
    if mask_zero and len(inputs.shape) != 1:
        message = f"layer embedding expects tokens (steps,) with mask_zero=true, received {inputs}"
        raise ConfigError(Problem("architecture", message, "leave mask_zero out"))
    table = nn.Parameter(initial(embeddings_initializer, (input_dim or inputs.vocabulary, output_dim)))
    output = TensorSpec((*inputs.shape, output_dim), masked=mask_zero)
    return PenalisedEmbedding(table, output, l1, l2) if l1 or l2 else Embedding(table, output)


class Embedding(nn.Module):
    """embeddings: the table, [vocabulary, output_dim], Keras's name and layout."""

    def __init__(self, embeddings: nn.Parameter, output: TensorSpec):
        super().__init__()
        self.embeddings = embeddings
        self.output = output

    def forward(self, tokens: Tensor) -> Tensor | Masked:
        """Integers [B, *shape] to [B, *shape, output_dim]; `Masked` where token 0 is padding."""
        values = F.embedding(tokens, self.embeddings)
        return Masked(values, tokens != 0) if self.output.masked else values

    def extra_repr(self) -> str:
        """The table's size, for a printed model."""
        return f"{self.embeddings.shape[0]} -> {self.embeddings.shape[1]}"


class PenalisedEmbedding(Embedding):
    """An Embedding whose table adds to the loss. settings: as in `stack.Stack`."""

    settings = ("l1", "l2")

    def __init__(self, embeddings: nn.Parameter, output: TensorSpec, l1: float, l2: float):
        super().__init__(embeddings, output)
        self.l1, self.l2 = l1, l2

    def penalty(self) -> Tensor:
        """Scalar to add to the mean loss of a batch."""
        return weight_penalty(self.embeddings, self.l1, self.l2)
