"""Metrics that scikit-learn has too: the same numbers, however the rows come."""

from __future__ import annotations

import importlib
import math
from typing import Any

import numpy as np
import pytest
import sklearn.metrics as reference
import torch
from test_metrics import FITS as BY_HAND
from test_metrics import NAMES
from torch import nn

from dlrun.contracts import DataSpec, InputSpec, RankingMetric, Rows, TableMetric, TargetSpec
from dlrun.errors import ConfigError
from dlrun.loaders import Loader
from dlrun.losses import mse
from dlrun.stack import Objective, assemble
from dlrun.steps.supervised import Supervised
from dlrun.trainer import evaluate

N, C, U = 211, 7, 6
TARGETS = {
    "binary": TargetSpec("binary", 2),
    "multiclass": TargetSpec("multiclass", C),
    "multilabel": TargetSpec("multilabel", C),
    "regression": TargetSpec("regression"),
    "vector": TargetSpec("regression", shape=(2, 3)),
    "bounded": TargetSpec("bounded_regression", shape=(U,)),
}
CLASSES = ["binary", "multiclass", "multilabel"]
COUNTS = {
    "precision": reference.precision_score,
    "recall": reference.recall_score,
    "f1": reference.f1_score,
}
CASES: list[tuple[str, str, dict[str, Any]]] = [
    *[(name, kind, {"average": a}) for name in COUNTS for kind in CLASSES for a in ("macro", "micro", "weighted")],
    *[(name, kind, {"threshold": 0.8}) for name in COUNTS for kind in ("binary", "multilabel")],
    *[("top_k_accuracy", "multiclass", {"k": k}) for k in (1, 3, C - 1)],
    *[(name, kind, {}) for name in ("roc_auc", "mean_average_precision") for kind in CLASSES],
    *[("r2", kind, {}) for kind in ("regression", "vector", "bounded")],
    *[("confusion_matrix", kind, {}) for kind in ("binary", "multiclass")],
    ("confusion_matrix", "binary", {"threshold": 0.8}),
]
all_cases = pytest.mark.parametrize(("name", "kind", "arguments"), CASES)
Draw = tuple[torch.Tensor, torch.Tensor]


def build(name: str, target: TargetSpec, **arguments):
    spec = DataSpec({"x": InputSpec((3,))}, {"y": target})
    return importlib.import_module(f"dlrun.metrics.{name}").build(spec, **arguments)


def draw(kind: str, rows: int = N, dtype: torch.dtype = torch.float32, seed: int = 0) -> Draw:
    """Predictions that know something of targets whose classes are far from even."""
    g = torch.Generator().manual_seed(seed)
    if kind == "multiclass":
        y = torch.multinomial(torch.arange(1.0, C + 1), rows, replacement=True, generator=g)
        logits = torch.randn(rows, C, generator=g, dtype=torch.float64)
        return (logits + 1.5 * nn.functional.one_hot(y, C)).softmax(1).to(dtype), y
    if kind in ("binary", "multilabel"):
        shape = (rows, C) if kind == "multilabel" else (rows,)
        y = (torch.rand(shape, generator=g, dtype=torch.float64) < 0.3).double()
        return (2 * y - 1 + 1.5 * torch.randn(shape, generator=g)).sigmoid().to(dtype), y.to(dtype)
    y = torch.rand(rows, *TARGETS[kind].shape, generator=g, dtype=torch.float64)
    return (y + 0.2 * torch.randn(y.shape, generator=g)).to(dtype), y.to(dtype)


def expected(name: str, kind: str, p: Any, y: Any, *, k: int = 5, threshold: float = 0.5, average: str = "macro"):
    p, y = p.double().numpy(), y.double().numpy()
    said = p.argmax(1) if kind == "multiclass" else p > threshold
    if name in COUNTS:
        return COUNTS[name](y, said, average="binary" if kind == "binary" else average, zero_division=0)
    if name == "top_k_accuracy":
        return reference.top_k_accuracy_score(y, p, k=k, labels=range(C))
    if name == "roc_auc":
        return reference.roc_auc_score(y, p / p.sum(1, keepdims=True) if kind == "multiclass" else p, multi_class="ovr")
    if name == "mean_average_precision":
        return reference.average_precision_score(y, p)
    if name == "r2":
        return reference.r2_score(y.reshape(len(y), -1), p.reshape(len(p), -1))
    return reference.confusion_matrix(y, said, labels=range(C if kind == "multiclass" else 2))


def measured(metric: Any, batches: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]]):
    """The value as the trainer takes it: states are summed, kept rows put together without padding."""
    if isinstance(metric, RankingMetric):
        kept = [(metric.keep({"y": p}, {"y": y}), mask) for p, y, mask in batches]
        rows = [k if mask is None else k[mask.bool()] for k, mask in kept]
        return metric.compute_all(torch.cat(rows).double().numpy())
    state = sum(metric.update({"y": p}, {"y": y}, mask) for p, y, mask in batches)
    assert state.shape == (metric.state_size,)
    return metric.table(state.double()) if isinstance(metric, TableMetric) else metric.compute(state.double())


def ragged(p: torch.Tensor, y: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Batches of many lengths, padded with rows that would change every value."""
    cut = []
    for rows in np.split(np.arange(len(p)), [1, 30, 31, 100, 163]):
        padding = 3 if len(rows) > 1 else 0
        index = torch.from_numpy(np.concatenate([rows, np.full(padding, 5)]))
        cut.append((p[index], y[index], torch.tensor([1.0] * len(rows) + [0.0] * padding)))
    return cut


def test_every_metric_has_a_case():
    of_series = {"forecast", "normalised_mae"}  # in test_windows.py
    assert sorted({*BY_HAND, *(name for name, _, _ in CASES), *of_series}) == NAMES


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@all_cases
def test_equals_scikit_learn_at_once_and_over_ragged_batches(name, kind, arguments, dtype):
    metric = build(name, TARGETS[kind], **arguments)
    p, y = draw(kind, dtype=dtype)
    wanted = expected(name, kind, p, y, **arguments)
    assert metric.key == "y"
    assert getattr(metric, "higher_is_better", name == "confusion_matrix")
    np.testing.assert_allclose(measured(metric, [(p, y, None)]), wanted, rtol=1e-12)
    np.testing.assert_allclose(measured(metric, ragged(p, y)), wanted, rtol=1e-12)


@all_cases
def test_a_stack_equals_its_members(name, kind, arguments):
    metric = build(name, TARGETS[kind], **arguments)
    members = [ragged(*draw(kind, seed=seed)) for seed in range(3)]
    wanted = [measured(metric, batches) for batches in members]
    call = metric.keep if isinstance(metric, RankingMetric) else metric.update
    for number in range(len(members[0])):
        p, y, mask = (torch.stack([batches[number][i] for batches in members]) for i in range(3))
        rest = () if isinstance(metric, RankingMetric) else (mask,)
        together = torch.vmap(call)({"y": p}, {"y": y}, *rest)
        alone = [call({"y": p[k]}, {"y": y[k]}, *(m[k] for m in rest)) for k in range(3)]
        torch.testing.assert_close(together, torch.stack(alone), rtol=0, atol=0)
    assert not np.array_equal(wanted[0], wanted[1])


class Table(nn.Module):
    """A model that looks its predictions up by the row's number."""

    def __init__(self, predictions: torch.Tensor):
        super().__init__()
        self.predictions = nn.Parameter(predictions)

    def forward(self, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {"y": self.predictions[inputs["x"][:, 0].long()]}


@pytest.mark.parametrize("members", [1, 3])
@all_cases
def test_through_the_trainer(name, kind, arguments, members):
    """Folds of different lengths, whose last batches are padded in a stack; beside a float32 loss."""
    spec = DataSpec({"x": InputSpec((1,))}, {"y": TARGETS[kind]})
    draws = [draw(kind, seed=seed)[0] for seed in range(members)]
    y = draw(kind)[1]
    metric = build(name, TARGETS[kind], **arguments)
    if isinstance(metric, TableMetric):
        metric = Shown(metric)
    rows = Rows({"x": torch.arange(N)[:, None]}, {"y": y})
    index = [np.arange(k, N - 40 * k) for k in range(members)]
    loader = Loader(rows, spec, index, 32, torch.float32)
    ensemble = assemble([Objective(Table(p), mse.build(spec), {name: metric}) for p in draws])
    logs = evaluate(Supervised(ensemble, importlib.import_module("dlrun.optimizers.sgd").build()), loader)
    for p, mine, log in zip(draws, index, logs, strict=True):
        wanted = expected(name, kind, p[mine], y[mine], **arguments)
        assert log[name] == pytest.approx(Shown.number(wanted), rel=1e-9)
        one_hot = torch.eye(C)[y[mine]] if kind == "multiclass" else y[mine]
        assert log["loss"] == pytest.approx(float((p[mine] - one_hot).square().mean()), rel=1e-5)


class Shown:
    """A table as one number, so that it can be logged."""

    def __init__(self, metric: Any):
        self.key, self.state_size, self.update, self.inner = metric.key, metric.state_size, metric.update, metric
        self.higher_is_better = True

    def compute(self, state: torch.Tensor) -> float:
        return self.number(self.inner.table(state))

    @staticmethod
    def number(table: Any) -> float:
        return float(np.sum(table * np.arange(np.size(table)).reshape(np.shape(table)) if np.ndim(table) else table))


# What scikit-learn warns of or refuses


@pytest.mark.parametrize("name", ["roc_auc", "mean_average_precision"])
@pytest.mark.parametrize("truth", [0.0, 1.0])
@pytest.mark.parametrize("kind", CLASSES)
def test_one_class_is_no_ranking(name, truth, kind):
    p, y = draw(kind)
    assert math.isnan(measured(build(name, TARGETS[kind]), [(p, torch.full_like(y, truth), None)]))


@pytest.mark.parametrize("name", ["roc_auc", "mean_average_precision"])
def test_a_class_without_rows_is_left_out_of_the_mean(name):
    score = {"roc_auc": reference.roc_auc_score, "mean_average_precision": reference.average_precision_score}[name]
    p, y = draw("multiclass")
    kept = y != 2
    p, y = p[kept], y[kept]
    wanted = np.mean([score((y == c).numpy(), p[:, c].numpy()) for c in range(C) if c != 2])
    assert measured(build(name, TARGETS["multiclass"]), [(p, y, None)]) == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("name", ["roc_auc", "mean_average_precision"])
def test_outputs_that_are_no_numbers_have_no_ranking(name):
    p, y = draw("binary")
    p[3] = torch.nan
    assert math.isnan(measured(build(name, TARGETS["binary"]), [(p, y, None)]))


@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("kind", CLASSES)
def test_classes_that_are_missing_or_never_predicted(name, kind, average):
    """Nothing to divide by is 0 and no warning; a class of which nobody speaks does not count."""
    p, y = draw(kind, 40)
    if kind == "multiclass":
        p[:, :3], y = 0.0, y.clamp(min=2)  # 0 and 1 are nowhere, 2 is never predicted
    elif kind == "multilabel":
        p[:, 0], y[:, 1], p[:, 2], y[:, 2] = 0.0, 0.0, 0.0, 0.0
    else:
        p, y = torch.zeros(40), torch.zeros(40)
    wanted = expected(name, kind, p, y, average=average)
    assert measured(build(name, TARGETS[kind], average=average), [(p, y, None)]) == pytest.approx(wanted)


# R²


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("mean", "relative"), [(1e3, 1e-8), (1e4, 1e-6), (1e5, 1e-4)])
def test_r2_of_targets_far_from_0(mean, relative, dtype):
    """50,000 rows of standard deviation 1 in batches of 128, summed one after the other."""
    g = torch.Generator().manual_seed(1)
    y = (mean + torch.randn(50_000, generator=g, dtype=torch.float64)).to(dtype)
    p = (y + 0.5 * torch.randn(50_000, generator=g)).to(dtype)
    batches = [(a, b, None) for a, b in zip(p.split(128), y.split(128), strict=True)]
    wanted = expected("r2", "regression", p, y)
    assert 0.7 < wanted < 0.8
    assert 1 - measured(build("r2", TARGETS["regression"]), batches) == pytest.approx(1 - wanted, rel=relative)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e4 / 3])
@pytest.mark.parametrize("error", [0.0, 0.25])
def test_r2_of_a_constant_target(value, error):
    y = torch.full((1000,), value)
    batches = [(b + error, b, None) for b in y.split(7)]
    wanted = expected("r2", "regression", y + error, y)
    assert measured(build("r2", TARGETS["regression"]), batches) == wanted == (0.0 if error else 1.0)


def test_r2_of_one_row_is_no_number():
    assert math.isnan(measured(build("r2", TARGETS["regression"]), [(torch.ones(1), torch.ones(1), None)]))


# Top k


@pytest.mark.parametrize("k", [C, C + 1])
def test_k_is_below_the_number_of_classes(k):
    with pytest.raises(ConfigError, match=f"less than the number of classes, {C}, received {k}") as caught:
        build("top_k_accuracy", TARGETS["multiclass"], k=k)
    assert caught.value.problems[0].path == "metrics.top_k_accuracy.k"


def test_a_model_that_says_nothing_is_not_right_by_it():
    """All outputs equal: the k lowest classes. No numbers: never right."""
    metric = build("top_k_accuracy", TARGETS["multiclass"], k=2)
    y = torch.arange(C)
    assert measured(metric, [(torch.full((C, C), 0.5), y, None)]) == pytest.approx(2 / C)
    assert measured(metric, [(torch.full((C, C), torch.nan), y, None)]) == 0.0


def test_top_1_is_the_accuracy():
    p, y = draw("multiclass")
    p = (p * 4).round() / 4  # with ties
    both = [build("top_k_accuracy", TARGETS["multiclass"], k=1), build("accuracy", TARGETS["multiclass"])]
    top, accuracy = (m.update({"y": p}, {"y": y}, None) for m in both)
    assert torch.equal(top, accuracy)


# What all share


@pytest.mark.parametrize("name", [*COUNTS, "top_k_accuracy", "roc_auc", "mean_average_precision", "confusion_matrix"])
def test_one_hot_targets_count_like_indices(name):
    p, y = draw("multiclass")
    metric = build(name, TARGETS["multiclass"])
    one_hot = nn.functional.one_hot(y, C).float()
    np.testing.assert_array_equal(measured(metric, [(p, one_hot, None)]), measured(metric, [(p, y, None)]))


@pytest.mark.parametrize("name", [*COUNTS, "confusion_matrix"])
def test_exactly_on_the_threshold_is_0(name):
    p, y = torch.tensor([0.5, 0.5, 0.75]), torch.tensor([0.0, 1.0, 1.0])
    found = measured(build(name, TARGETS["binary"]), [(p, y, None)])
    np.testing.assert_allclose(found, expected(name, "binary", p, y))


@pytest.mark.parametrize("name", [*COUNTS, "r2", "roc_auc"])
def test_half_precision_is_kept_and_counted_in_more(name):
    kind = "regression" if name == "r2" else "binary"
    p, y = draw(kind, 4096)
    p, y = p.bfloat16(), y.bfloat16()
    wanted = expected(name, kind, p, y)
    assert measured(build(name, TARGETS[kind]), [(p, y, None)]) == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *[(name, "regression") for name in (*COUNTS, "roc_auc", "mean_average_precision")],
        ("top_k_accuracy", "binary"),
        ("top_k_accuracy", "multilabel"),
        ("confusion_matrix", "multilabel"),
        ("confusion_matrix", "bounded"),
        *[("r2", kind) for kind in CLASSES],
    ],
)
def test_what_does_not_fit_is_refused_with_what_does(name, kind):
    with pytest.raises(ConfigError, match=f"{name} needs a .* target, 'y' is {TARGETS[kind].problem}") as caught:
        build(name, TARGETS[kind])
    assert caught.value.problems[0].path == f"metrics.{name}"
    offered = caught.value.problems[0].hint.removeprefix("what fits: ").split(", ")
    assert name not in offered
    assert len(offered) >= 3
    for other in offered:
        build(other, TARGETS[kind], **({"k": 2} if other == "top_k_accuracy" else {}))
