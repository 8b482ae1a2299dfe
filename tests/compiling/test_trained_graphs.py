"""Whole runs of a graph with branches, a layer that is called twice, a block of two outputs and a frozen layer."""

from __future__ import annotations

import json
import re

import pytest
import torch
from _comparing import (
    ALONE,
    BOSTON,
    FOLDS,
    POINTS,
    SMALL,
    assert_compiled_is_eager,
    assert_stacked_is_sequential,
    train,
)
from _running import only_run
from test_stack import outcome

LAYERS = {
    "a": {"name": "dense", "units": 6, "activation": "relu", "l2": 0.01, "inputs": "INPUT"},
    "b": {"name": "dense", "units": "WIDTH", "activation": "tanh"},
    "again": {"same_as": "a", "inputs": "b"},
    "both": {"name": "fork", "inputs": ["again", "a"]},
    "sum": {"name": "add", "inputs": ["both.left", "both.right", "a"]},
    "drop": {"name": "dropout", "rate": 0.3},
    "frozen": {"name": "dense", "units": 4, "trainable": False},
    "last": {"name": "output"},
}
"""`a` reads the data, and later what was made of them."""
FORK = {
    "inputs": ["p", "q"],
    "parameters": {"units": 6},
    "layers": {
        "left": {"name": "dense", "units": "$units", "activation": "relu", "inputs": "p"},
        "right": {"name": "multiply", "inputs": ["left", "q"]},
    },
    "outputs": ["left", "right"],
}
"""`left` is read inside and outside."""
DATA = {"numbers": (BOSTON, "features", "13"), "points": (POINTS, "point", "2")}


@pytest.fixture(params=DATA)
def words(request, project, monkeypatch) -> list[str]:
    """A run of that graph."""
    monkeypatch.setattr("_comparing.SMALL", [word for word in SMALL if "units" not in word])
    data, name, width = DATA[request.param]
    layers, blocks = (re.sub(r'"(\w+)":', r"\1:", json.dumps(one)) for one in (LAYERS, {"fork": FORK}))
    layers = layers.replace("INPUT", name).replace('"WIDTH"', width)
    return [*data, "architecture=graph", f"architecture.layers={layers}", f"architecture.blocks={blocks}"]


def test_compiled_alone(words, traced):
    assert_compiled_is_eager([*words, *ALONE], traced)


def test_compiled_folds(words, traced):
    assert_compiled_is_eager([*words, *FOLDS], traced)


def test_stacked_folds(words):
    assert_stacked_is_sequential(
        *words, *FOLDS, "evaluation.refit=best", "evaluation.test=true", "trainer.compile=never"
    )


def test_frozen_layers_stay_and_others_move(words):
    assert train(*words, *FOLDS, "evaluation.stack=always", "trainer.epochs=1", "runs_dir=short") == 0
    assert train(*words, *FOLDS, "evaluation.stack=always", "trainer.epochs=3", "runs_dir=long") == 0
    assert "splits train as one" in only_run("long").log.read_text()
    short, long = outcome("short")[1], outcome("long")[1]
    for file in short:
        for name, tensor in short[file].items():
            assert torch.equal(tensor, long[file][name]) == ("frozen" in name or name.endswith((".mean", ".std"))), name
