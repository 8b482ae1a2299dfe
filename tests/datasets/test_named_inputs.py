from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from dlrun.contracts import InputSpec
from dlrun.datasets import _made_words, _named_inputs
from dlrun.errors import DataError

INPUTS = {
    "text": InputSpec((4,), "tokens", vocabulary=300),
    "numbers": InputSpec((2, 3)),
    "photo": InputSpec((8, 6, 3), divide_by=255.0),
}


@pytest.fixture
def photo(tmp_path):
    from PIL import Image

    file = tmp_path / "red.png"
    Image.new("RGB", (60, 80), (200, 10, 30)).save(file)
    return str(file)


@pytest.mark.parametrize("vocabulary", [2, 16, 17, 300, 10_000, 50_000, 70_000])
def test_each_number_has_a_word_of_its_own(vocabulary):
    some = {1, vocabulary - 1, *np.random.default_rng(0).integers(1, vocabulary, 500).tolist()}
    words = {number: _made_words.word(number, vocabulary) for number in some}
    assert len(set(words.values())) == len(some)
    assert all(_made_words.number(word, vocabulary) == number for number, word in words.items())


def test_a_word_of_no_number_is_none_and_padding_has_none():
    assert _made_words.number(_made_words.word(299, 300), 300) == 299
    for strange in ("", "ba", "film", _made_words.word(0, 300), _made_words.word(300, 300)):
        assert _made_words.number(strange, 300) is None
    assert _made_words.text([0, 0, 7, 8], 300).split() == [_made_words.word(n, 300) for n in (7, 8)]


def test_a_row_is_an_object_by_input_name(photo):
    words = _made_words.text([17, 299], 300)
    numbers = [[1, 2, 3], [4, 5, 6.5]]
    rows = _named_inputs.row(json.dumps({"numbers": numbers, "photo": photo, "text": words}), INPUTS)
    assert list(rows.inputs) == list(INPUTS)
    assert rows.targets == {}
    assert rows.inputs["text"].tolist() == [[0, 0, 17, 299]]
    assert rows.inputs["numbers"].tolist() == [numbers]
    assert rows.inputs["photo"].shape == (1, 8, 6, 3)
    assert rows.inputs["photo"].unique().tolist() == [10, 30, 200]


def test_of_a_single_input_the_value_may_stand_alone(photo):
    def row(name, raw):
        return _named_inputs.row(raw, {name: INPUTS[name]}).inputs[name]

    for raw in ("[5, 6]", '{"text": [5, 6]}', _made_words.text([5, 6], 300)):
        assert row("text", raw).tolist() == [[0, 0, 5, 6]]
    assert row("photo", photo).dtype == torch.uint8


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"text": None}, "input 'text': expected at most 4 words, or a list of numbers from 0 to 299"),
        ({"text": []}, "received 0"),
        ({"text": [1, 2, 3, 4, 5]}, "received 5"),
        ({"text": [1, 300]}, "received 300"),
        ({"text": [1, True]}, "received True"),
        ({"text": [1.0]}, "received 1.0"),
        ({"text": "film"}, "'film' is no word of these made texts"),
        (
            {"numbers": [1, 2, 3]},
            r"input 'numbers': expected numbers in nested lists of shape \(2, 3\); received shape",
        ),
        ({"numbers": [[1, 2, 3], [4]]}, "expected numbers in nested lists"),
        ({"numbers": [["a", 2, 3], [4, 5, 6]]}, "expected numbers in nested lists"),
        ({"numbers": [[1e99, 2, 3], [4, 5, 6]]}, "each finite in float32"),
        ({"photo": "nowhere.png"}, "input 'photo': expected the path of a picture file, received 'nowhere.png'"),
        ({"photo": 3}, "expected the path of a picture file, received 3"),
        ({"tekst": [1]}, r"'tekst' is no input. Did you mean 'text'\? \(available: numbers, photo, text\)"),
    ],
)
def test_what_can_t_be_read_is_said(change, said, photo):
    good = {"text": [1], "numbers": [[1, 2, 3], [4, 5, 6]], "photo": photo}
    with pytest.raises(DataError, match=said):
        _named_inputs.row(json.dumps(good | change), INPUTS)


@pytest.mark.parametrize("raw", ["", "some words", "[1, 2]", "{", "17"])
def test_several_inputs_need_their_names(raw):
    with pytest.raises(DataError, match=r'expected a JSON object {"text": …, "numbers": …, "photo": …}, received'):
        _named_inputs.row(raw, INPUTS)


def test_all_that_is_missing_is_named():
    with pytest.raises(DataError, match="nothing for text, photo"):
        _named_inputs.row('{"numbers": [[1, 2, 3], [4, 5, 6]]}', INPUTS)
