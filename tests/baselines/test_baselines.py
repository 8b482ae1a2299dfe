from __future__ import annotations

import importlib

import numpy as np
import pytest
import torch
from torch import Tensor

from dlrun import registry
from dlrun.contracts import Bags, Column, Rows, TargetSpec
from dlrun.datasets import imdb, mnist

NAMES = [name for name in registry.names("baselines") if name != "persistence"]  # that is of series: test_windows.py
C, N, M = 4, 60, 40
TARGETS = {
    "binary": TargetSpec("binary", classes=2),
    "multiclass": TargetSpec("multiclass", classes=C),
    "one_hot": TargetSpec("multiclass", classes=C),
    "multilabel": TargetSpec("multilabel", classes=C),
    "regression": TargetSpec("regression"),
    "vector": TargetSpec("regression", shape=(3,)),
    "bounded_regression": TargetSpec("bounded_regression", shape=(2,)),
}
CLASSES = ("binary", "multiclass", "one_hot", "multilabel")
READS = ("linear", "logistic")


def targets(kind: str, rows: int) -> Tensor:
    if kind == "multiclass":
        return torch.randint(C, (rows,))
    if kind == "one_hot":
        return torch.eye(C)[torch.randint(C, (rows,))]
    if kind in CLASSES:
        return torch.randint(2, (rows, C) if kind == "multilabel" else (rows,)).float()
    return torch.rand(rows, *TARGETS[kind].shape)


def rows(kind: str, count: int) -> Rows:
    words = Bags(torch.randint(9, (2 * count,), dtype=torch.int32), 2 * torch.arange(count + 1))
    return Rows({"x": torch.rand(count, 2, 3), "words": words}, {"y": targets(kind, count)})


def outputs(
    name: str, kind: str | TargetSpec, train: Rows, scored: Rows, seed: int = 0, **args: object
) -> list[Tensor] | None:
    target = TARGETS[kind] if isinstance(kind, str) else kind
    found: list[Tensor] | None = (
        importlib.import_module(f"dlrun.baselines.{name}").build(**args).outputs("y", target, train, scored, seed)
    )
    return found


def only(train: list[float], dtype: torch.dtype = torch.float32, inputs: Column | None = None) -> Rows:
    return Rows(
        {"x": torch.zeros(len(train), 1) if inputs is None else inputs}, {"y": torch.tensor(train, dtype=dtype)}
    )


@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("name", NAMES)
def test_predictions_look_like_a_models(name, kind):
    train, scored = rows(kind, N), rows(kind, M)
    found = outputs(name, kind, train, scored)
    speaks = (kind in CLASSES) == (name not in ("linear", "mean", "median"))
    assert (found is not None) == speaks
    for prediction in found or []:
        width = (C,) if kind in ("multiclass", "one_hot", "multilabel") else TARGETS[kind].shape
        assert prediction.shape == (M, *width)
        assert prediction.dtype == torch.float32
        assert prediction.isfinite().all()
        if kind in (*CLASSES, "bounded_regression"):
            assert ((prediction >= 0) & (prediction <= 1)).all()
        if kind in ("multiclass", "one_hot"):
            assert torch.allclose(prediction.sum(-1), torch.ones(M))


@pytest.mark.parametrize("name", NAMES)
def test_the_seed_decides_and_inputs_are_read_only_where_that_is_said(name):
    kind = "regression" if name in ("linear", "mean", "median") else "multiclass"
    train, scored = rows(kind, N), rows(kind, M)
    first, again, other = (outputs(name, kind, train, scored, seed) for seed in (1, 1, 2))
    assert torch.equal(torch.stack(first), torch.stack(again))
    assert torch.equal(torch.stack(first), torch.stack(other)) == (name not in ("chance", "permutation"))
    assert len(first) == (10 if name in ("chance", "permutation") else 1)
    reads = importlib.import_module(f"dlrun.baselines.{name}").build().reads_inputs
    assert reads == (name in READS)
    if not reads:
        blind = outputs(name, kind, Rows({}, train.targets), Rows({}, scored.targets), 1)
        assert torch.equal(torch.stack(first), torch.stack(blind))


def test_the_most_frequent_class_comes_first_and_the_next_one_second():
    train = only([2, 0, 2, 1, 2, 1], torch.int64)
    (found,) = outputs("majority", "multiclass", train, only([3, 3], torch.int64))
    assert found.tolist() == [[pytest.approx(1 / 6), pytest.approx(2 / 6), 0.5, 0]] * 2
    (found,) = outputs("majority", "binary", only([1, 1, 0]), only([0]))
    assert found.tolist() == [pytest.approx(2 / 3)]


def test_permutations_hold_the_right_labels_in_another_order():
    right = [0, 0, 0, 1, 1, 2] * 10
    found = outputs("permutation", "multiclass", only([0], torch.int64), only(right, torch.int64))
    assert all(p.argmax(-1).bincount().tolist() == [30, 20, 10] for p in found)
    assert len({tuple(p.argmax(-1).tolist()) for p in found}) == 10
    # The mean over all orders is the chance that two labels drawn are equal.
    hits = np.mean([(p.argmax(-1) == torch.tensor(right)).float().mean().item() for p in found])
    assert hits == pytest.approx((30**2 + 20**2 + 10**2) / 60**2, abs=0.06)


def test_mean_and_median_are_the_training_rows():
    train, scored = only([1, 2, 9]), only([0, 0])
    assert outputs("mean", "regression", train, scored)[0].tolist() == [4, 4]
    assert outputs("median", "regression", train, scored)[0].tolist() == [2, 2]


def test_random_classes_are_equally_likely():
    found = outputs("chance", "multiclass", only([0], torch.int64), only([0] * 2000, torch.int64))
    counts = torch.stack(found).argmax(-1).flatten().bincount(minlength=C)
    assert torch.allclose(counts / counts.sum(), torch.tensor(0.25), atol=0.02)


def test_very_many_predictions_are_repeated_less():
    assert len(outputs("chance", "binary", only([0]), Rows({}, {"y": torch.zeros(4_000_001)}))) == 3


# Those that learn


def test_a_line_is_found_and_missing_values_are_the_mean():
    x = torch.rand(200, 2)
    y = 3 * x[:, 0] - x[:, 1] + 5
    with_gap = x.clone()
    with_gap[:3, 0] = torch.nan
    new = torch.tensor([[0.5, 0.5], [torch.nan, 0.0], [1.0, 2.0]])
    (found,) = outputs(
        "linear", "regression", Rows({"x": with_gap}, {"y": y}), Rows({"x": new}, {"y": torch.zeros(3)}), penalty=0.0
    )
    filled = 3 * x[3:, 0].mean() + 5
    assert found.tolist() == pytest.approx([6, float(filled), 6], abs=0.1)


def test_a_column_that_does_not_vary_or_is_empty_does_no_harm():
    x = torch.rand(50, 4)
    x[:, 1], x[:, 2] = 1e6 + 0.1, torch.nan
    y = x[:, 0]
    new = torch.tensor([[0.5, 7.0, 3.0, 0.5]])
    (found,) = outputs("linear", "regression", Rows({"x": x}, {"y": y}), Rows({"x": new}, {"y": torch.zeros(1)}))
    assert found.item() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_the_scale_of_an_input_does_not_matter(scale):
    train, new = torch.rand(80, 3), torch.rand(20, 3)
    y = train @ torch.tensor([1.0, 2.0, 3.0])
    (plain,) = outputs("linear", "regression", Rows({"x": train}, {"y": y}), Rows({"x": new}, {"y": torch.zeros(20)}))
    factor = torch.tensor([scale, 1.0, 1 / scale])
    (other,) = outputs(
        "linear", "regression", Rows({"x": train * factor}, {"y": y}), Rows({"x": new * factor}, {"y": torch.zeros(20)})
    )
    assert torch.allclose(plain, other, atol=1e-4)


def test_words_are_learned_from_as_0_and_1():
    """Bags, and the 0/1 matrix that they stand for, hardly differ but for the scale of the penalty."""
    count = 200
    words = Bags(torch.randint(6, (count,), dtype=torch.int32), torch.arange(count + 1))
    labels = (words.values % 2).float()
    (found,) = outputs("logistic", "binary", Rows({"w": words}, {"y": labels}), Rows({"w": words}, {"y": labels}))
    assert ((found > 0.5) == (labels > 0.5)).all()


def test_classes_without_a_training_row_get_no_chance():
    x = torch.tensor([[0.0], [1.0]] * 20)
    train = Rows({"x": x}, {"y": torch.tensor([0, 2] * 20)})
    (found,) = outputs("logistic", "multiclass", train, Rows({"x": x[:2]}, {"y": torch.tensor([0, 2])}))
    assert found.argmax(-1).tolist() == [0, 2]
    assert found[:, [1, 3]].abs().max() == 0
    (one,) = outputs(
        "logistic", "binary", Rows({"x": x}, {"y": torch.ones(40)}), Rows({"x": x[:2]}, {"y": torch.ones(2)})
    )
    assert one.tolist() == [1, 1]


def test_of_many_rows_some_are_learned_from():
    x = torch.rand(500, 1)
    y = (x[:, 0] > 0.5).float()
    train = Rows({"x": x}, {"y": y})
    (all_of_them,) = outputs("logistic", "binary", train, train)
    (found,) = outputs("logistic", "binary", train, train, most_rows=100)
    assert ((found > 0.5) == (y > 0.5)).float().mean() > 0.8
    assert not torch.allclose(found, all_of_them)


@pytest.mark.parametrize("module", [mnist, imdb])
def test_logistic_regression_beats_the_most_frequent_class_on_sample_data(module):
    data = module.build(source="sample").load()
    (key,) = data.spec.targets
    right = data.test.targets[key]
    target = data.spec.targets[key]
    best = {}
    for name, args in (("majority", {}), ("logistic", {"most_rows": 600, "max_iter": 20})):
        build = importlib.import_module(f"dlrun.baselines.{name}").build
        (found,) = build(**args).outputs(key, target, data.train, data.test, 0)
        said = found.argmax(-1) if found.ndim > 1 else (found > 0.5).float()
        best[name] = (said == right).float().mean().item()
    assert best["majority"] < 0.55
    assert best["logistic"] > best["majority"] + 0.25
