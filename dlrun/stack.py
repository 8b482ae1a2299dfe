"""One model, or K models of one shape trained as one: the same calls for both.

K models are stacked into tensors with a leading axis K and run under `vmap`; the sum of their losses has
the gradient of each, so an optimizer whose update is element-wise moves each as if it were alone.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state

from dlrun.contracts import Batch, Output
from dlrun.objective import Objective

State = dict[str, Tensor]


class Ensemble(Protocol):
    """K objectives behind one call."""

    size: int
    objective: Objective

    def __call__(self, batch: Batch) -> Output:
        """All models on their rows of a batch."""
        ...

    def parameters(self) -> list[nn.Parameter]:
        """Those that train; in a stack each [K, …]."""
        ...

    def tensors(self) -> tuple[dict[str, nn.Parameter], State]:
        """Those that train and all others that the models are made of, by name; the others are changed in place."""
        ...

    def functional(self, weights: State, others: State, batch: Batch) -> Output:
        """The same call with other tensors in place of `tensors()`."""
        ...

    def train(self, mode: bool) -> None:
        """Training or evaluation mode."""
        ...

    def member(self, k: int) -> State:
        """A copy of model k's parameters and buffers, named as in the plain model."""
        ...

    def set_member(self, k: int, state: State) -> None:
        """Model k's parameters and buffers as they were."""
        ...


class Single:
    """A group of one: the plain module."""

    size = 1

    def __init__(self, objective: Objective):
        self.objective = objective

    def __call__(self, batch: Batch) -> Output:
        """See `Ensemble`."""
        output: Output = self.objective(batch)
        return output

    def parameters(self) -> list[nn.Parameter]:
        """Those that train."""
        return list(self.tensors()[0].values())

    def tensors(self) -> tuple[dict[str, nn.Parameter], State]:
        """See `Ensemble`."""
        named = dict(self.objective.model.named_parameters())
        weights = {name: p for name, p in named.items() if p.requires_grad}
        others = {name: p for name, p in named.items() if not p.requires_grad}
        return weights, others | dict(self.objective.model.named_buffers())

    def functional(self, weights: State, others: State, batch: Batch) -> Output:
        """See `Ensemble`."""
        return _called(self.objective, weights | others, batch)

    def train(self, mode: bool) -> None:
        """Training or evaluation mode."""
        self.objective.train(mode)

    def member(self, k: int) -> State:
        """See `Ensemble`."""
        return {name: t.detach().clone() for name, t in self.objective.model.state_dict().items()}

    def set_member(self, k: int, state: State) -> None:
        """See `Ensemble`."""
        self.objective.model.load_state_dict(state)


class Stack:
    """K objectives of one shape as one.

    A layer's attributes that its class names in `settings` are numbers that may differ from model to model (a dropout
    rate); where they do, the layer finds its model's own in their place, a float64 scalar. shared: the training
    batches are. Weights [V, …] that a layer names in `stacked_beside` then lie in memory as [V, K, …].
    """

    def __init__(self, objectives: list[Objective], shared: bool = False):
        self.size = len(objectives)
        self.objective = objectives[0]
        self._names = list(self.objective.model.state_dict())
        self._params, self._buffers = stack_module_state([o.model for o in objectives])
        for name in _beside(self.objective.model) if shared else ():
            weights = self._params[name]
            aside = weights.detach().movedim(0, 1).contiguous().movedim(1, 0)
            self._params[name] = nn.Parameter(aside, requires_grad=weights.requires_grad)
        device = next(iter(self._params.values())).device
        self._settings = {
            name: torch.tensor(values, dtype=torch.float64, device=device)
            for name, values in differing_settings([o.model for o in objectives]).items()
        }
        self._shell = copy.deepcopy(self.objective).to("meta")

    def _one(self, params: State, buffers: State, settings: State, batch: Batch) -> Output:
        for name, value in settings.items():
            layer, _, attribute = name.rpartition(".")
            setattr(self._shell.model.get_submodule(layer), attribute, value)
        return _called(self._shell, params | buffers, batch)

    def __call__(self, batch: Batch) -> Output:
        """See `Ensemble`; the objective is the sum over the models."""
        return self._summed(self._params, self._buffers, self._settings, batch)

    def _summed(self, params: State, buffers: State, settings: State, batch: Batch) -> Output:
        mask, weights = (None if part is None else 0 for part in (batch.mask, batch.weights))
        dims: Any = None if batch.shared else (0, 0, mask, None, weights)
        call = torch.vmap(self._one, in_dims=(0, 0, 0, dims and Batch(*dims)), randomness="different")
        output = call(params, buffers, settings, batch)
        return Output(output.objective.sum(), output.sums, output.kept)

    def parameters(self) -> list[nn.Parameter]:
        """Those that train, each [K, …]."""
        return list(self.tensors()[0].values())

    def tensors(self) -> tuple[dict[str, nn.Parameter], State]:
        """See `Ensemble`; each [K, …], settings that differ among them."""
        weights = {name: p for name, p in self._params.items() if p.requires_grad}
        frozen = {name: p for name, p in self._params.items() if not p.requires_grad}
        return weights, frozen | self._buffers | {f"{SETTING}{name}": t for name, t in self._settings.items()}

    def functional(self, weights: State, others: State, batch: Batch) -> Output:
        """See `Ensemble`."""
        named = weights | others
        settings = {name: named.pop(f"{SETTING}{name}") for name in self._settings}
        buffers = {name: named.pop(name) for name in self._buffers}
        return self._summed(named, buffers, settings, batch)

    def train(self, mode: bool) -> None:
        """Training or evaluation mode."""
        self._shell.train(mode)

    def member(self, k: int) -> State:
        """See `Ensemble`."""
        return {name: t[k].detach().clone() for name, t in self._saved().items()}

    def set_member(self, k: int, state: State) -> None:
        """See `Ensemble`."""
        with torch.no_grad():
            for name, t in self._saved().items():
                t[k].copy_(state[name])

    def _saved(self) -> State:
        """What belongs into a file of weights."""
        there = self._params | self._buffers
        return {name: there[name] for name in self._names}


SETTING = "setting:"
"""What sets a layer's numbers apart from parameters and buffers among a stack's tensors."""


def _called(objective: Objective, named: State, batch: Batch) -> Output:
    output: Output = functional_call(objective, {f"model.{name}": t for name, t in named.items()}, (batch,))
    return output


def differing_settings(models: list[nn.Module]) -> dict[str, list[float]]:
    """The numbers of layers, by `layer.attribute`, that are not the same in all models."""
    found: dict[str, list[float]] = {}
    for name, layer in models[0].named_modules():
        for setting in getattr(layer, "settings", ()):
            values = [getattr(model.get_submodule(name), setting) for model in models]
            if len(set(values)) > 1:
                found[f"{name}.{setting}"] = values
    return found


def _beside(model: nn.Module) -> list[str]:
    layers = model.named_modules()
    return [f"{name}.{weight}" for name, layer in layers for weight in getattr(layer, "stacked_beside", ())]


def assemble(objectives: list[Objective], shared: bool = False) -> Ensemble:
    """One objective stays a plain module; several become a stack."""
    return Single(objectives[0]) if len(objectives) == 1 else Stack(objectives, shared)


def why_not(model: nn.Module, others: Mapping[str, str | None]) -> str | None:
    """Why K such models can't be trained as one, or None when they can. others: parts with their own reasons."""
    for part, reason in others.items():
        if reason:
            return f"{part}: {reason}"
    if len(list(model.named_parameters(remove_duplicate=False))) > len(list(model.parameters())):
        return "the model uses a parameter under two names"
    for name, module in model.named_modules():
        reason = getattr(module, "unstackable", None)
        if isinstance(module, nn.RNNBase):
            reason = "torch's fused recurrent layers have no vmap rule"
        if any(isinstance(value, Tensor) for value in vars(module).values()):
            reason = "it holds a tensor that is neither a parameter nor a buffer"
        if reason:
            return f"layer {name or 'model'}: {reason}"
    return None


def mixes_rows(model: nn.Module) -> bool:
    """Whether a row's output depends on the other rows of its batch, as in batch normalization: rows of padding
    would then be felt."""
    running = nn.modules.instancenorm._InstanceNorm  # a row's output is its own, but its statistics are kept
    return any(
        isinstance(m, nn.modules.batchnorm._BatchNorm)
        or (isinstance(m, running) and m.track_running_stats)
        or getattr(m, "mixes_rows", False)
        for m in model.modules()
    )
