from __future__ import annotations

import math

import pytest
import torch

from dlrun.baselines import chance, majority
from dlrun.datasets import random_vectors
from dlrun.guards.class_balance import _labels
from dlrun.losses import auto
from dlrun.metrics import accuracy


def test_numbers_are_even_from_0_to_1():
    data = random_vectors.build().load()
    for values in (data.train.inputs["x"], data.train.targets["y"]):
        assert 0 <= float(values.min()) < float(values.max()) < 1
        assert float(values.mean()) == pytest.approx(0.5, abs=0.01)
        assert float(values.var()) == pytest.approx(1 / 12, rel=0.03)


def test_targets_are_taken_as_they_are():
    """The book's loss: a uniform prediction costs the sum of the targets times ln 10, about 11.5."""
    dataset = random_vectors.build()
    rows = dataset.load().train
    y = rows.targets["y"]
    zeros = {"y_logits": torch.zeros(len(y), 10), "y": torch.full((len(y), 10), 0.1)}
    loss = auto.build(dataset.spec)
    assert loss.name == "categorical_crossentropy"
    values = loss(zeros, rows.targets)
    torch.testing.assert_close(values, y.sum(1) * math.log(10))
    assert float(values.mean()) == pytest.approx(11.5, abs=0.2)


def test_metrics_baselines_and_guards_read_the_largest_weight():
    dataset = random_vectors.build(n=200)
    data = dataset.load()
    target, y = dataset.spec.targets["y"], data.test.targets["y"]
    metric = accuracy.build(dataset.spec)
    assert metric.compute(metric.update({"y": y}, {"y": y}, None)) == 1.0
    for baseline in (chance.build(), majority.build()):
        for output in baseline.outputs("y", target, data.train, data.test, 0):
            assert output.shape == y.shape
    assert _labels(y).tolist() == y.argmax(1).tolist()


def test_a_list_of_numbers_is_a_row():
    rows = random_vectors.build(width=3).encode("[0.5, 1, -2]")
    assert rows.inputs["x"].tolist() == [[0.5, 1.0, -2.0]]
