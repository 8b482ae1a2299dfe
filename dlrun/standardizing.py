"""Standardised inputs as the first layer of a model: its mean and deviation belong to the weights, so each fold
has its own, a checkpoint carries them, and new rows are treated alike."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from dlrun.contracts import Bags, Column, DataSpec, Rows, Split
from dlrun.layers import normalization
from dlrun.layers._spec import TensorSpec


class Standardized(nn.Module):
    """A model behind one `Normalization` per input that asks for it."""

    def __init__(self, model: nn.Module, spec: DataSpec):
        super().__init__()
        self.asking = [name for name, given in spec.inputs.items() if given.standardize != "no"]
        # A list, because a ModuleDict refuses some names that an input may have.
        self.normalizations = nn.ModuleList(normalization.build(TensorSpec.of(spec.inputs[n])) for n in self.asking)
        self.model = model
        self.output_activations = model.output_activations

    def forward(self, inputs: Mapping[str, Column]) -> dict[str, Tensor]:
        """See the model inside."""
        changed = {n: layer(inputs[n]) for n, layer in zip(self.asking, self.normalizations, strict=True)}
        outputs: dict[str, Tensor] = self.model({**inputs, **changed})
        return outputs


def standardized(model: nn.Module, spec: DataSpec) -> nn.Module:
    """The model, behind its normalisation where an input asks for one."""
    return Standardized(model, spec) if any(i.standardize != "no" for i in spec.inputs.values()) else model


def adapt(model: nn.Module, spec: DataSpec, rows: Rows, split: Split) -> None:
    """Learn mean and deviation from the split's training rows, or, for an input that says `pool`, from all rows."""
    if not isinstance(model, Standardized):
        return
    for name, layer in zip(model.asking, model.normalizations, strict=True):
        column, given = rows.inputs[name], spec.inputs[name]
        assert not isinstance(column, Bags)
        index = torch.from_numpy(split.train).to(column.device)
        values = column if given.standardize == "pool" else column.index_select(0, index)
        assert isinstance(layer, normalization.Normalization)
        layer.adapt(values if given.divide_by == 1.0 else values / given.divide_by)
