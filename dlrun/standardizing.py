"""Standardised inputs and targets as the first and the last layer of a model: mean and deviation belong to the weights,
so each fold has its own, a checkpoint carries them, and new rows are treated alike."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from dlrun.contracts import Bags, Column, DataSpec, InputSpec, Rows, Split, Stored, Windows
from dlrun.layers import normalization
from dlrun.layers._spec import TensorSpec
from dlrun.layers.normalization import Normalization


class Standardized(nn.Module):
    """A model between the `Normalization` of each input and of each target that asks for one; that of a target is
    undone on the model's output, so that predictions, losses and metrics are in the target's own unit. The deviation it
    was learned in is one more output, `<target>_deviation` [*shape]."""

    def __init__(self, model: nn.Module, spec: DataSpec):
        super().__init__()
        self.inputs = [name for name, given in spec.inputs.items() if given.standardize != "no"]
        # A list, because a ModuleDict refuses some names that an input may have.
        self.normalizations = nn.ModuleList(normalization.build(_alike(spec.inputs[n])) for n in self.inputs)
        self.targets = asking_targets(spec, model)
        self.scales = nn.ModuleList(normalization.build(TensorSpec(spec.targets[n].shape)) for n in self.targets)
        self.model = model
        self.output_activations = model.output_activations

    def forward(self, inputs: Mapping[str, Column]) -> dict[str, Tensor]:
        """See the model inside."""
        changed = {n: layer(inputs[n]) for n, layer in zip(self.inputs, self.normalizations, strict=True)}
        outputs: dict[str, Tensor] = self.model({**inputs, **changed})
        for name, scale in zip(self.targets, self.scales, strict=True):
            assert isinstance(scale, Normalization)
            outputs[name] = outputs[name + "_logits"] = scale.inverse(outputs[name])
            outputs[name + "_deviation"] = scale.std
        return outputs


def asking_targets(spec: DataSpec, model: nn.Module) -> list[str]:
    """Targets to standardise: those that ask, where nothing bounds the model's output."""
    last: Mapping[str, str] = model.output_activations  # type: ignore[assignment]
    return [n for n, given in spec.targets.items() if given.standardize != "no" and last.get(n) == "linear"]


def standardized(model: nn.Module, spec: DataSpec) -> nn.Module:
    """The model, between normalisations where the data ask for one."""
    asking = any(i.standardize != "no" for i in spec.inputs.values()) or asking_targets(spec, model)
    return Standardized(model, spec) if asking else model


def adapt(model: nn.Module, spec: DataSpec, rows: Rows, split: Split) -> None:
    """Learn mean and deviation from the split's training rows, or, for what says `pool`, from all rows."""
    if not isinstance(model, Standardized):
        return
    for name, layer in zip(model.inputs, model.normalizations, strict=True):
        given = spec.inputs[name]
        assert isinstance(layer, Normalization)
        values = _known(rows.inputs[name], None if given.standardize == "pool" else split.train)
        layer.adapt(values if given.divide_by == 1.0 else values / given.divide_by)
    for name, layer in zip(model.targets, model.scales, strict=True):
        assert isinstance(layer, Normalization)
        layer.adapt(_target_values(spec, rows, name, split.train))


def learned_deviations(model: nn.Module, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`<target>_deviation` [*shape] of each standardised target, by the weights of such a model."""
    targets = model.targets if isinstance(model, Standardized) else []
    return {f"{name}_deviation": weights[f"scales.{i}.std"].cpu() for i, name in enumerate(targets)}


def deviation(spec: DataSpec, rows: Rows, name: str, train: np.ndarray | None) -> Tensor:
    """The deviation [*shape] in which a model with the training rows `train`, None for all, learns a target that asks
    for it."""
    layer = normalization.build(TensorSpec(spec.targets[name].shape))
    assert isinstance(layer, Normalization)
    layer.adapt(_target_values(spec, rows, name, train))
    return layer.std


def _target_values(spec: DataSpec, rows: Rows, name: str, train: np.ndarray | None) -> Tensor:
    """What mean and deviation of a target are taken from, [N, *shape]."""
    given = spec.targets[name]
    known = None if given.standardize == "pool" else train
    if given.channel is None:
        return _known(rows.targets[name], known)
    source, channel = given.channel
    values = _known(rows.inputs[source], known)[:, channel]
    return values.reshape(-1, *(1 for _ in given.shape)).expand(-1, *given.shape)


def _known(column: Stored, train: np.ndarray | None) -> Tensor:
    """The rows `train` of a column, None for all; of windows, the rows of their series."""
    assert not isinstance(column, Bags)
    if isinstance(column, Windows):
        index = torch.arange(len(column)) if train is None else torch.from_numpy(train)
        return column.values(column.covered(index.to(column.starts.device)))
    return column if train is None else column.index_select(0, torch.from_numpy(train).to(column.device))


def _alike(given: InputSpec) -> TensorSpec:
    """What of a row has a mean of its own: each number, or each channel of a series."""
    return TensorSpec(given.shape[-1:]) if given.series else TensorSpec.of(given)
