from __future__ import annotations

import numpy as np
import pytest
import torch

from dlrun.datasets import sentence_pairs


@pytest.fixture(scope="module")
def data():
    return sentence_pairs.build(n=600).load()


def score(data, features):
    from sklearn.linear_model import LogisticRegression

    def read(rows):
        left, right = (rows.inputs[name].mean(1).numpy() for name in ("left", "right"))  # a sentence's mean word
        return features(left, right)

    model = LogisticRegression(C=0.01, max_iter=300).fit(read(data.train), data.train.targets["same"].numpy())
    return model.score(read(data.test), data.test.targets["same"].numpy())


def test_sides_that_meet_in_a_product_or_difference_tell(data):
    assert score(data, lambda left, right: (left * right).sum(1, keepdims=True)) > 0.97
    assert score(data, lambda left, right: np.abs(left - right)) > 0.97


def test_one_side_or_a_sum_of_both_tells_nothing(data):
    for features in (
        lambda left, right: left,
        lambda left, right: right,
        lambda left, right: np.concatenate([left, right], 1),
    ):
        assert score(data, features) < 0.58


def test_a_reworded_sentence_is_the_left_one_shifted_and_with_noise(data):
    rows, meanings = data.test, data.extras["meanings"]["test"]
    same = rows.targets["same"].bool()
    assert np.array_equal(same.numpy(), meanings[:, 0] == meanings[:, 1])
    assert float(same.float().mean()) == pytest.approx(0.5, abs=0.06)
    left, right = rows.inputs["left"], rows.inputs["right"]
    apart = torch.stack([(left.roll(-shift, 1) - right).square().mean((1, 2)) for shift in (0, 1, 2)]).amin(0)
    assert torch.allclose(apart[same], torch.tensor(0.25), atol=0.03)
    assert float(apart[~same].min()) > 1.5


def test_two_lists_of_vectors_are_a_row(data):
    dataset = sentence_pairs.build(length=3, width=8)
    assert dataset.spec.inputs["left"].shape == (3, 8)
    raw = f'{{"left": {np.zeros((3, 8)).tolist()}, "right": {np.ones((3, 8)).tolist()}}}'
    assert torch.equal(dataset.encode(raw).inputs["right"], torch.ones(1, 3, 8))
