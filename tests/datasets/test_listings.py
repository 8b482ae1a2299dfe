from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from dlrun.datasets import listings
from dlrun.datasets.listings import FACTS, GRADES, NAMES, WORDS
from dlrun.errors import DataError


@pytest.fixture(scope="module")
def data():
    return listings.build(n=600).load()


def features(rows, inputs):
    """What a person would read of each input, [N, …]."""
    words = rows.inputs["description"].numpy()
    dark = (rows.inputs["photo"].float().mean(-1) < 45).flatten(1).sum(1, keepdim=True).numpy()
    read = {
        "metadata": rows.inputs["metadata"].numpy(),
        "description": np.stack([(words == word).sum(1) for word in range(1, GRADES * WORDS + 1)], 1),
        "photo": dark,
    }
    return np.concatenate([read[name] for name in inputs], 1)


def score(data, inputs):
    from sklearn.linear_model import Ridge

    model = Ridge(1.0).fit(features(data.train, inputs), data.train.targets["price"].numpy())
    return model.score(features(data.test, inputs), data.test.targets["price"].numpy())


def test_each_input_has_a_part_of_the_price_that_no_other_has(data):
    inputs = list(data.spec.inputs)
    assert score(data, inputs) > 0.9
    for left_out in inputs:
        assert score(data, [name for name in inputs if name != left_out]) < 0.85


def test_the_price_is_the_sum_of_what_the_inputs_are_worth(data):
    worth = data.extras["worth"]["test"]
    rest = data.test.targets["price"].numpy() - listings.PRICE - worth.sum(1)
    assert rest.std() == pytest.approx(listings.NOISE, rel=0.1)
    assert abs(rest.mean()) < 0.5
    value = np.array([amount for worths in FACTS.values() for amount in worths.values()])
    assert np.allclose(data.test.inputs["metadata"].numpy() @ value, worth[:, 0])


def test_a_photo_shows_its_stains(data):
    dark = features(data.test, ["photo"])[:, 0]
    stains = data.extras["worth"]["test"][:, 2] / listings.STAIN
    assert np.corrcoef(dark, stains)[0, 1] > 0.97


def test_facts_a_description_and_a_photo_are_a_row(tmp_path):
    from PIL import Image

    dataset = listings.build(size=20)
    Image.new("RGB", (40, 40), (90, 80, 70)).save(tmp_path / "coat.png")
    given = {
        "metadata": {"condition": "new", "category": "coat"},
        "description": [5, 6],
        "photo": f"{tmp_path}/coat.png",
    }
    rows = dataset.encode(json.dumps(given))
    assert [NAMES[i] for i in rows.inputs["metadata"][0].nonzero()[:, 0]] == ["category=coat", "condition=new"]
    assert rows.inputs["photo"].shape == (1, 20, 20, 3)
    assert rows.inputs["description"].dtype == torch.int32
    for metadata, said in (
        ({"category": "coat"}, "expected an object with category and condition; received category"),
        ([1, 0], r"expected an object with category and condition; received \[1, 0\]"),
        ({"category": "cout", "condition": "new"}, "no category is called 'cout'. Did you mean 'coat'?"),
        ({"category": ["coat"], "condition": "new"}, "no category is called"),
    ):
        with pytest.raises(DataError, match=said):
            dataset.encode(json.dumps(given | {"metadata": metadata}))
