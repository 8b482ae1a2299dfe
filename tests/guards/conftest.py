from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from dlrun import registry
from dlrun.assembly import assemble
from dlrun.commands import train
from dlrun.config import Section
from dlrun.contracts import Data, DataSpec, InputSpec, Rows, Split, TargetSpec
from dlrun.guarding import Context

Change = Callable[..., Context]


def composed(*words: str) -> Context:
    config = train.check(
        train.composer_for([], []), ["dataset.source=sample", "architecture.units=[16]", *words], False
    )
    parts = assemble(config)
    data = parts.dataset.load()
    targets = next(iter(data.train.targets.values())).numpy()
    splits = parts.evaluation.splits(targets, config.seed, len(data.train) / parts.spec.rows["train"])
    return Context(config, parts, data, splits)


@pytest.fixture(scope="session")
def check() -> Callable[..., list[str]]:
    """What a guard says of a context. args: of its `build`."""

    def check(name: str, context: Context, **args: object) -> list[str]:
        said: list[str] = registry.load("guards", name)(**args).check(context)
        assert all("{" not in sentence and len(sentence) > 60 for sentence in said)
        return said

    return check


@pytest.fixture(scope="session")
def one(check: Callable[..., list[str]]) -> Callable[..., str]:
    """The same of a guard that says one sentence."""

    def one(name: str, context: Context, **args: object) -> str:
        (sentence,) = check(name, context, **args)
        return sentence

    return one


@pytest.fixture(scope="session")
def reviews() -> Context:
    """The context of a run of imdb_dense on sample data."""
    return composed("task=imdb_dense")


@pytest.fixture(scope="session")
def digits() -> Context:
    """The same of digits, 20 % of them for validation."""
    return composed("dataset=mnist")


@pytest.fixture(scope="session")
def changed() -> Change:
    """A context with parts of its config replaced, assembled anew; data and splits stay."""

    def change(context: Context, units: list[int] | None = None, epochs: int | None = None, **keys: Any) -> Context:
        config = replace(context.config, **keys)
        if units is not None:
            config = replace(config, architecture=Section("dense", {**config.architecture.args, "units": units}))
        if epochs is not None:
            config = replace(config, trainer=replace(config.trainer, epochs=epochs))
        return replace(context, config=config, parts=assemble(config))

    return change


@pytest.fixture
def with_data(digits: Context) -> Change:
    """A context whose data are given as arrays; the last `held_out` training rows are for validation."""

    def context(
        inputs: Any, labels: Any = None, held_out: int = 0, test: Any = None, test_labels: Any = None,
        target: TargetSpec | None = None, given: InputSpec | None = None, **extras: Any,
    ) -> Context:  # fmt: skip
        inputs = torch.as_tensor(np.asarray(inputs, np.float32))
        labels = torch.zeros(len(inputs), dtype=torch.int64) if labels is None else torch.as_tensor(labels)
        spec = DataSpec(
            {"x": given or InputSpec(inputs.shape[1:])}, {"y": target or TargetSpec("multiclass", classes=10)}
        )
        tested = None
        if test is not None:
            new = torch.zeros(len(test), dtype=torch.int64) if test_labels is None else torch.as_tensor(test_labels)
            tested = Rows({"x": torch.as_tensor(np.asarray(test, np.float32))}, {"y": new})
        data = Data(spec, Rows({"x": inputs}, {"y": labels}), tested, extras=extras)
        rows = np.arange(len(inputs))
        cut = len(rows) - held_out
        return replace(digits, data=data, splits=[Split(0, 0, rows[:cut], rows[cut:])])

    return context
