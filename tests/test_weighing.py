"""What training rows count: the numbers, and the mean that they make."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch import nn

from dlrun.contracts import Batch, DataSpec, InputSpec, Rows, TargetSpec
from dlrun.loaders import Loader
from dlrun.losses import binary_crossentropy, categorical_crossentropy, mse, per_output
from dlrun.objective import Objective, terms
from dlrun.weighing import balanced, weighing

N = 12
SPEC = DataSpec({"x": InputSpec((2,))}, {"kind": TargetSpec("multiclass", 3), "side": TargetSpec("binary", 2)})
KIND = torch.tensor([0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 0, 1])
ROWS = Rows({"x": torch.rand(N, 2)}, {"kind": KIND, "side": (torch.arange(N) % 4 == 0).float()})
OWN = torch.tensor([0.0, 1, 2, 0.5, 1, 1, 3, 1, 1, 0, 1, 2])


def rows(weights: torch.Tensor | None) -> Rows:
    return Rows(ROWS.inputs, ROWS.targets, weights)


def test_balanced_is_scikit_learns():
    labels = np.array([0, 0, 0, 2, 2, 3])
    expected = compute_class_weight("balanced", classes=np.unique(labels), y=labels)
    found = balanced(torch.from_numpy(labels), 5)
    assert found[[0, 2, 3]].tolist() == pytest.approx(expected.tolist())
    assert found[[1, 4]].tolist() == [0, 0]


def loader(loss, data: Rows, index: list[np.ndarray], batch_size: int = 5, seeds=None) -> Loader:
    counted = weighing(terms(loss), SPEC, data, index, torch.float64)
    return Loader(data, SPEC, index, batch_size, torch.float64, seeds, weighing=counted)


def test_nothing_to_weigh_is_no_weighing():
    assert weighing(terms(mse.build(SPEC, target="side")), SPEC, ROWS, [np.arange(N)], torch.float64) is None
    (batch, _), *_ = loader(mse.build(SPEC, target="side"), ROWS, [np.arange(N)]).epoch(1)
    assert batch.weights is None


@pytest.mark.parametrize("own", [None, OWN])
def test_a_rows_weight_is_its_own_times_that_of_its_class_among_the_models_rows(own):
    loss = per_output.build(SPEC, class_weight={"kind": "balanced", "side": {0: 1, 1: 4}})
    index = [np.arange(8), np.arange(4, 12)]
    for one, other in zip(index, index[::-1], strict=True):
        by_class = balanced(KIND[one], 3)
        for members in ([one], [one, other]):
            for batch, n in loader(loss, rows(own), members, seeds=[3, 4][: len(members)]).epoch(2):
                weights, x = (
                    (t if len(members) == 1 else t[0])[: n[0]] for t in (batch.weights["kind"], batch.inputs["x"])
                )
                number = (ROWS.inputs["x"].double()[None] == x[:, None]).all(-1).int().argmax(1)
                expected = by_class[KIND[number]] * (1 if own is None else own[number])
                torch.testing.assert_close(weights, expected.double())


def test_one_hot_rows_weigh_as_indices_do():
    one_hot = Rows(ROWS.inputs, {**ROWS.targets, "kind": torch.eye(3)[KIND]})
    loss = categorical_crossentropy.build(SPEC, target="kind", class_weight="balanced")
    for batches in zip(
        loader(loss, ROWS, [np.arange(N)]).epoch(1), loader(loss, one_hot, [np.arange(N)]).epoch(1), strict=True
    ):
        torch.testing.assert_close(*(batch.weights["kind"] for batch, _ in batches))


class Linear(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([0.3, -0.7], dtype=torch.float64))

    def forward(self, inputs):
        logits = inputs["x"].double() @ self.weight
        return {"side": logits.sigmoid(), "side_logits": logits}


def objective() -> Objective:
    return Objective(Linear(), binary_crossentropy.build(SPEC, target="side"), {})


def batch(index: list[int], mask: list[float] | None = None) -> Batch:
    inputs, targets = {"x": ROWS.inputs["x"][index]}, {"side": ROWS.targets["side"][index]}
    real = None if mask is None else torch.tensor(mask, dtype=torch.float64)
    return Batch(inputs, targets, real, weights={"side": OWN[index].double()})


def test_the_mean_is_keras_2s():
    """Of all rows 0 and 9 weigh nothing. What is logged is that mean, as if each of the batch's rows had it."""
    made, given = objective(), batch(list(range(N)))
    output = made(given)
    losses = made.terms["side"](made.model(given.inputs), given.targets)
    expected = (losses * OWN).sum().detach() / 10
    torch.testing.assert_close(output.objective.detach(), expected)
    assert made.compute(output.sums.detach(), N, {})["loss"] == pytest.approx(float(expected))


def test_rows_that_weigh_nothing_and_rows_of_padding_change_nothing():
    made = objective()
    whole = made(batch([1, 2, 3])).objective
    torch.testing.assert_close(made(batch([1, 0, 2, 9, 3])).objective, whole)
    torch.testing.assert_close(made(batch([1, 2, 3, 4, 5], mask=[1, 1, 1, 0, 0])).objective, whole)


def test_a_batch_that_weighs_nothing_moves_nothing():
    made = objective()
    output = made(batch([0, 9]))
    output.objective.backward()
    assert output.objective == 0
    assert made.model.weight.grad.tolist() == [0, 0]
