from __future__ import annotations

import numpy as np
import pytest

from dlrun.datasets import social_posts
from dlrun.datasets.social_posts import AGES, INCOMES, YOUNGEST


@pytest.fixture(scope="module")
def data():
    return social_posts.build(n=500, length=100).load()


def test_each_target_has_a_word_of_its_own(data):
    rows = data.test
    posts = rows.inputs["posts"].numpy()
    counts = np.stack([(posts == word).sum(1) for word in range(1, AGES + INCOMES + 3)], 1)
    age, income, gender = np.split(counts, [AGES, AGES + INCOMES], axis=1)
    assert np.array_equal(YOUNGEST + age.argmax(1), rows.targets["age"].numpy())
    assert np.array_equal(income.argmax(1), rows.targets["income"].numpy())
    assert np.array_equal(gender.argmax(1), rows.targets["gender"].numpy())
    own = counts[np.arange(len(rows)), age.argmax(1)].mean() / posts.shape[1]
    assert own == pytest.approx(0.25, abs=0.01)


def test_one_target_tells_nothing_of_another(data):
    known = np.stack([target.double().numpy() for target in data.train.targets.values()])
    assert np.abs(np.corrcoef(known) - np.eye(3)).max() < 0.15


def test_sizes_are_the_book_s():
    spec = social_posts.build().spec
    assert spec.inputs["posts"].vocabulary == 50_000
    assert spec.inputs["posts"].shape[0] >= 269, "what is left after the convolutions and poolings"
    assert [(t.problem, t.classes) for t in spec.targets.values()] == [
        ("regression", 0),
        ("multiclass", 10),
        ("binary", 2),
    ]


def test_words_are_a_row(data):
    dataset = social_posts.build(n=500, length=100)
    line = dataset.describe(data, "test", 3)
    words = line.partition("'")[2].removesuffix(" …'")
    posts = dataset.encode(words).inputs["posts"]
    assert posts[0, -8:].tolist() == data.test.inputs["posts"][3, :8].tolist()
    assert f"{int(data.test.targets['age'][3])} years" in line
