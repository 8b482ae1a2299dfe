"""Gradients within bounds: torch's clipping for one model, a length of its own for each of a stack."""

from __future__ import annotations

import json

import pytest
import torch
from _running import only_run, train
from test_stack import assert_stacked_is_sequential

from dlrun.steps._clipping import clipped

SHAPES = [(7, 5), (5,), (1,), ()]
BOUNDS = {"norm": (0.5, None), "value": (None, 0.1), "both": (0.5, 0.1), "neither": (None, None)}
BOSTON = ["dataset=boston_housing", "dataset.normalize=train", "metrics=[mae]", "trainer.batch_size=64"]


def gradients(*axes: int, scale: float = 1.0) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [scale * torch.randn((*axes, *s), generator=generator, dtype=torch.float64) for s in SHAPES]


def by_torch(given: list[torch.Tensor], norm: float | None, value: float | None) -> list[torch.Tensor]:
    parameters = [torch.nn.Parameter(torch.zeros_like(g)) for g in given]
    for parameter, gradient in zip(parameters, given, strict=True):
        parameter.grad = gradient.clone()
    if norm is not None:
        torch.nn.utils.clip_grad_norm_(parameters, norm)
    if value is not None:
        torch.nn.utils.clip_grad_value_(parameters, value)
    return [p.grad for p in parameters]


def length(given: list[torch.Tensor]) -> float:
    return float(torch.nn.utils.get_total_norm(given))


@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e6])
@pytest.mark.parametrize("bounds", BOUNDS)
def test_one_model_is_clipped_as_by_torch(bounds, scale):
    """Torch divides by the length and a millionth."""
    given = gradients(scale=scale)
    before = [g.clone() for g in given]
    ours, theirs = clipped(given, *BOUNDS[bounds], stacked=False), by_torch(given, *BOUNDS[bounds])
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=0)
    assert all(torch.equal(a, b) for a, b in zip(before, given, strict=True)), "gradients are not changed in place"


@pytest.mark.parametrize("bounds", BOUNDS)
def test_each_model_of_a_stack_is_clipped_as_alone(bounds):
    """Of three models one is far above the bounds, one below, one has no gradient at all."""
    factors = torch.tensor([100.0, 1e-3, 0.0], dtype=torch.float64)
    given = [g * factors.reshape(-1, *[1] * (g.ndim - 1)) for g in gradients(3)]
    together = clipped(given, *BOUNDS[bounds], stacked=True)
    for k in range(3):
        for ours, own in zip(together, clipped([g[k] for g in given], *BOUNDS[bounds], stacked=False), strict=True):
            torch.testing.assert_close(ours[k], own, rtol=1e-14, atol=0)


def test_a_clipped_gradient_is_as_long_as_the_bound_and_points_the_same_way():
    given = gradients()
    ours = clipped(given, 0.5, None, stacked=False)
    assert length(ours) == pytest.approx(0.5, rel=1e-12)
    ratios = torch.cat([(a / b).reshape(-1) for a, b in zip(ours, given, strict=True)])
    torch.testing.assert_close(ratios, ratios[:1].expand_as(ratios), rtol=1e-12, atol=0)
    assert all(a is b for a, b in zip(clipped(given, None, None, stacked=False), given, strict=True))
    within = clipped(given, 2 * length(given), None, stacked=False)
    assert all(torch.equal(a, b) for a, b in zip(within, given, strict=True))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_types_are_kept(dtype):
    given = [g.to(dtype) for g in gradients(3)]
    assert all(g.dtype == dtype for g in clipped(given, 0.5, 0.1, stacked=True))


@pytest.mark.parametrize(
    "words",
    [
        ["step.clipnorm=0.1", "optimizer=sgd", "optimizer.momentum=0.9"],
        ["step.clipnorm=5", "step.clipvalue=0.5", "architecture.dropout=0.3", "architecture.l2=0.01", *BOSTON],
    ],
    ids=" ".join,
)
def test_stacked_runs_are_sequential_ones(words, project):
    """Of 2500 and of 404 rows in 3 folds the last batches differ in length."""
    assert_stacked_is_sequential([*words, "evaluation=kfold", "evaluation.n_splits=3", "trainer.epochs=2"])


@pytest.mark.parametrize("word", ["step.clipnorm=1e-3", "step.clipvalue=1e-5"])
def test_small_bounds_hold_a_run_back(word, project):
    """Plain descent moves by rate times gradient, so weights stay near where they began."""
    words = ["optimizer=sgd", "optimizer.lr=0.5"]
    assert train(*words, "runs_dir=free") == 0
    assert train(*words, word, "runs_dir=held") == 0
    assert train(*words, "step.clipnorm=1e9", "step.clipvalue=1e9", "runs_dir=wide") == 0
    loss = {d: json.loads(only_run(d).summary.read_text())["metrics"]["val"]["loss"]["mean"]
            for d in ("free", "held", "wide")}  # fmt: skip
    assert loss["wide"] == loss["free"]
    assert loss["free"] < 0.95 * loss["held"]


@pytest.mark.parametrize("word", ["step.clipnorm=0", "step.clipvalue=-1", "step.clipnrm=1"])
def test_bounds_are_checked(word, project, capsys):
    assert train(word) == 2
    assert word.partition("=")[0] in capsys.readouterr().err
