"""Graphs from YAML, and data to build them for."""

from __future__ import annotations

import torch
import yaml
from torch import nn

from dlrun.architectures import graph
from dlrun.contracts import Bags, Batch, DataSpec, InputSpec, TargetSpec
from dlrun.errors import ConfigError, Problem
from dlrun.objective import Objective
from dlrun.stack import Stack

NUMBER, YES, LABELS, CLASSES = (
    TargetSpec("regression"),
    TargetSpec("binary", classes=2),
    TargetSpec("multilabel", classes=4),
    TargetSpec("multiclass", classes=3),
)


def spec(inputs=None, targets=None):
    """inputs: names with shapes or `InputSpec`s; a row of 5 numbers where nothing is said, and one number to predict."""
    inputs = {"x": (5,)} if inputs is None else inputs
    given = {name: one if isinstance(one, InputSpec) else InputSpec(one) for name, one in inputs.items()}
    return DataSpec(given, targets or {"y": NUMBER})


def built(text, data=None, seed=0):
    """The model of what stands under `architecture`, written in YAML or as it comes out of it."""
    torch.manual_seed(seed)
    return graph.build(data or spec(), **(yaml.safe_load(text) if isinstance(text, str) else text))


def problems_of(text, data=None) -> list[Problem]:
    """What is wrong with it; fails where nothing is."""
    try:
        built(text, data)
    except ConfigError as error:
        return error.problems
    raise AssertionError("it was built")


def rows(data, *before, seed=0, dtype=torch.float32):
    """Inputs of such data by name. before: the number of rows, and of models where there are several."""
    generator = torch.Generator().manual_seed(seed)
    found = {}
    for name, one in data.inputs.items():
        if one.encoding == "values":
            found[name] = torch.randn(*before, *one.shape, generator=generator, dtype=dtype)
        elif one.encoding == "tokens":
            found[name] = torch.randint(one.vocabulary, (*before, *one.shape), generator=generator)
        else:
            words = torch.randint(one.shape[0], (*before[:-1], 2 * before[-1]), generator=generator)
            found[name] = Bags(words, (2 * torch.arange(before[-1] + 1)).expand(*before[:-1], -1).contiguous())
    return found


class Squares(nn.Module):
    """A loss that every number that comes out of a model has a part in."""

    name = key = "squares"

    def forward(self, outputs, targets):
        return sum(one.flatten(1).square().sum(1) if one.ndim > 1 else one.square() for one in outputs.values())


def objective(model, dtype=torch.float64):
    return Objective(model.to(dtype), Squares(), {})


def assert_stack_is_each_alone(models, data, n=4):
    """What two models give, their gradients and their buffers, in training."""
    inputs = rows(data, len(models), n, dtype=torch.float64)
    stack = Stack([objective(model) for model in models])
    output = stack(Batch(inputs, {}, None))
    weights = stack.tensors()[0]
    grads = torch.autograd.grad(output.objective, list(weights.values()), allow_unused=True) if weights else ()
    for k, model in enumerate(models):
        own = {name: Bags(*(t[k] for t in x)) if isinstance(x, Bags) else x[k] for name, x in inputs.items()}
        alone = objective(model)(Batch(own, {}, None))
        torch.testing.assert_close(output.sums[k], alone.sums, rtol=1e-9, atol=1e-9)
        named = dict(model.named_parameters())
        of_one = (
            torch.autograd.grad(alone.objective, [named[name] for name in weights], allow_unused=True)
            if weights
            else ()
        )
        for name, stacked, single in zip(weights, grads, of_one, strict=True):
            stacked = torch.zeros_like(weights[name]) if stacked is None else stacked
            single = torch.zeros_like(named[name]) if single is None else single
            torch.testing.assert_close(
                stacked[k], single, rtol=1e-8, atol=1e-8, msg=lambda m, name=name: f"{name}: {m}"
            )
        for name, buffer in model.named_buffers():
            torch.testing.assert_close(stack.member(k)[name], buffer, rtol=1e-9, atol=1e-9)
