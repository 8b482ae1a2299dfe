from __future__ import annotations

import numpy as np
import pytest
import torch

from dlrun.datasets import question_answering
from dlrun.datasets.question_answering import TOPICS, WORDS

SIDES = ("text", "question")


@pytest.fixture(scope="module")
def data():
    return question_answering.build(n=1_500, length=30).load()


def counts(rows, side):
    """How often each word that tells occurs, [N, 20]."""
    tokens = rows.inputs[side].numpy()
    return np.stack([(tokens == word).sum(1) for word in range(1, 2 * TOPICS * WORDS + 1)], 1)


def scores(data, sides):
    from sklearn.linear_model import LogisticRegression

    x, new = (np.concatenate([counts(rows, side) for side in sides], 1) for rows in (data.train, data.test))
    model = LogisticRegression(C=0.1, max_iter=2000).fit(x, data.train.targets["answer"].numpy())
    return model.score(new, data.test.targets["answer"].numpy())


def test_topic_and_kind_together_are_the_answer(data):
    answer = data.test.targets["answer"].numpy()
    topics = data.extras["topics"]["test"]
    assert np.array_equal(answer, 20 * (TOPICS * topics[:, 0] + topics[:, 1]))
    assert len(np.unique(answer)) == TOPICS**2
    assert np.bincount(answer).max() / len(answer) < 0.06


def test_a_model_that_reads_both_inputs_is_right_and_one_that_ignores_one_is_not(data):
    assert scores(data, SIDES) > 0.95
    for side in SIDES:
        assert 0.15 < scores(data, [side]) < 0.25


def test_the_words_of_a_topic_tell_it(data):
    for place, side in enumerate(SIDES):
        by_topic = counts(data.test, side).reshape(len(data.test), 2 * TOPICS, WORDS).sum(2)
        assert (by_topic.argmax(1) - place * TOPICS == data.extras["topics"]["test"][:, place]).mean() > 0.99


def test_random_rows_are_as_the_book_s():
    dataset = question_answering.build(random=True, n=1_000)
    rows = dataset.load().train
    for side in SIDES:
        tokens = rows.inputs[side].numpy()
        assert (tokens.shape, tokens.min(), tokens.max()) == ((1_000, 100), 1, 9_999)
    answer = rows.targets["answer"]
    assert 0 <= int(answer.min()) < int(answer.max()) < 500
    assert len(answer.unique()) > 400
    assert "answer" in dataset.describe(dataset.load(), "train", 0)


def test_a_text_and_a_question_are_a_row():
    dataset = question_answering.build(length=3)
    rows = dataset.encode('{"question": [7], "text": [1, 9999]}')
    assert {name: column.tolist() for name, column in rows.inputs.items()} == {
        "text": [[0, 1, 9999]],
        "question": [[0, 0, 7]],
    }
    assert all(isinstance(column, torch.Tensor) for column in rows.inputs.values())
