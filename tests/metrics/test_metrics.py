from __future__ import annotations

import importlib
import math
from pathlib import Path

import pytest
import torch

import dlrun.metrics
from dlrun.contracts import DataSpec, InputSpec, TargetSpec
from dlrun.errors import ConfigError

NAMES = sorted(f.stem for f in Path(dlrun.metrics.__path__[0]).glob("[!_]*.py"))
B, C = 9, 4
TARGETS = {
    "binary": TargetSpec("binary", 2),
    "multiclass": TargetSpec("multiclass", C),
    "multilabel": TargetSpec("multilabel", C),
    "regression": TargetSpec("regression"),
    "bounded": TargetSpec("bounded_regression", shape=(2, 3)),
}
FITS = {
    "accuracy": ["binary", "multiclass", "multilabel"],
    "binary_accuracy": ["binary", "multilabel"],
    "categorical_accuracy": ["multiclass"],
    "mae": list(TARGETS),
    "mse": list(TARGETS),
    "auto": list(TARGETS),
}
ALL = [(name, kind) for name in NAMES for kind in FITS.get(name, [])]


def build(name: str, kind: str, **arguments):
    spec = DataSpec({"x": InputSpec((3,))}, {"y": TARGETS[kind]})
    made = importlib.import_module(f"dlrun.metrics.{name}").build(spec, **arguments)
    return made[meant(name, kind)] if name == "auto" else made


def draw(kind: str, rows: int = B) -> tuple[dict, dict]:
    shape = (rows, C) if kind in ("multiclass", "multilabel") else (rows, *TARGETS[kind].shape)
    outputs = {"y": torch.rand(shape)}
    if kind == "multiclass":
        return outputs, {"y": torch.randint(C, (rows,))}
    return outputs, {"y": torch.rand(shape) if kind == "bounded" else torch.randint(2, shape).float()}


def cut(draws: tuple[dict, dict], rows: slice) -> tuple[dict, dict]:
    return tuple({name: x[rows] for name, x in part.items()} for part in draws)


def meant(name: str, kind: str) -> str:
    """Which metric it is: `auto` is two."""
    if name != "auto":
        return name
    return "accuracy" if kind in ("binary", "multiclass", "multilabel") else "mae"


def by_hand(name: str, kind: str, outputs: dict, targets: dict) -> float:
    p, y = outputs["y"].double(), targets["y"].double()
    name = meant(name, kind)
    if name in ("mae", "mse"):
        y = torch.eye(C)[targets["y"]] if kind == "multiclass" else y
        error = (p - y).abs() if name == "mae" else (p - y) ** 2
        return error.mean().item()
    hits = p.argmax(1) == y if kind == "multiclass" else p.round() == y
    return hits.double().mean().item()


@pytest.mark.parametrize(("name", "kind"), ALL)
def test_value_mask_and_sum_over_batches(name, kind):
    metric = build(name, kind)
    draws = draw(kind)
    expected = by_hand(name, kind, *draws)
    whole = metric.update(*draws, None)
    assert metric.key == "y"
    assert metric.higher_is_better == ("accuracy" in meant(name, kind))
    assert whole.ndim == 1
    assert metric.compute(whole) == pytest.approx(expected, rel=1e-5)
    parts = sum(metric.update(*cut(draws, rows), None) for rows in (slice(0, 5), slice(5, 9)))
    assert metric.compute(parts) == pytest.approx(expected, rel=1e-5)
    mask = torch.tensor([1.0] * 6 + [0.0] * 3)
    kept = metric.update(*cut(draws, slice(0, 6)), None)
    torch.testing.assert_close(metric.update(*draws, mask), kept)


@pytest.mark.parametrize(("name", "kind"), ALL)
def test_stack_equals_alone(name, kind):
    metric = build(name, kind)
    draws = [draw(kind) for _ in range(3)]
    outputs, targets = ({"y": torch.stack([d[i]["y"] for d in draws])} for i in (0, 1))
    mask = (torch.rand(3, B) > 0.3).float()
    alone = torch.stack([metric.update(*d, m) for d, m in zip(draws, mask, strict=True)])
    torch.testing.assert_close(torch.vmap(metric.update)(outputs, targets, mask), alone)


@pytest.mark.parametrize("name", ["accuracy", "categorical_accuracy"])
def test_one_hot_targets_count_like_indices(name):
    outputs, targets = draw("multiclass")
    metric = build(name, "multiclass")
    one_hot = {"y": torch.eye(C)[targets["y"]]}
    assert torch.equal(metric.update(outputs, one_hot, None), metric.update(outputs, targets, None))


@pytest.mark.parametrize("name", ["accuracy", "binary_accuracy"])
def test_threshold(name):
    outputs, targets = {"y": torch.tensor([0.2, 0.5, 0.7, 0.9])}, {"y": torch.tensor([0.0, 0.0, 1.0, 1.0])}
    for threshold, expected in ((0.5, 1.0), (0.8, 0.75), (0.1, 0.5)):
        metric = build(name, "binary", threshold=threshold)
        assert metric.compute(metric.update(outputs, targets, None)) == expected


def test_half_precision_is_summed_in_float32():
    metric = build("mae", "regression")
    rows = 4096
    outputs, targets = {"y": torch.ones(rows, dtype=torch.bfloat16)}, {"y": torch.zeros(rows)}
    state = metric.update(outputs, targets, None)
    assert state.dtype == torch.float32
    assert state.tolist() == [4096.0, 4096.0]


def test_nothing_counted_is_no_number():
    assert math.isnan(build("accuracy", "binary").compute(torch.zeros(2)))


@pytest.mark.parametrize(
    ("name", "kind", "fits"),
    [
        ("accuracy", "regression", "mae"),
        ("accuracy", "bounded", "mae"),
        ("binary_accuracy", "multiclass", "accuracy"),
        ("categorical_accuracy", "binary", "accuracy"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_does(name, kind, fits):
    with pytest.raises(ConfigError, match=TARGETS[kind].problem) as caught:
        build(name, kind)
    assert caught.value.problems[0].path == f"metrics.{name}"
    assert caught.value.problems[0].hint.startswith(f"what fits: {fits}, ")


def test_auto_of_several_targets_is_one_metric_for_each():
    spec = DataSpec({"x": InputSpec((3,))}, {"age": TARGETS["regression"], "sex": TARGETS["binary"]})
    auto = importlib.import_module("dlrun.metrics.auto")
    found = auto.build(spec)
    assert {name: metric.key for name, metric in found.items()} == {"age_mae": "age", "sex_accuracy": "sex"}
    assert list(auto.build(spec, target="sex")) == ["accuracy"]
    with pytest.raises(ConfigError, match="no target 'sx'"):
        auto.build(spec, target="sx")
