"""What the made datasets of chapter 7 have in common."""

from __future__ import annotations

import pytest
import torch

from dlrun import registry
from dlrun.datasets import _made
from dlrun.errors import DataError
from dlrun.showing import card

SMALL = {
    "random_vectors": {"n": 40},
    "question_answering": {"n": 40, "length": 12},
    "social_posts": {"n": 40, "length": 12},
    "sentence_pairs": {"n": 40, "length": 6, "width": 16},
    "stereo_pairs": {"n": 20, "size": 40},
    "shapes": {"n": 40, "size": 16},
    "listings": {"n": 40, "length": 8, "size": 20},
}


def make(name, **more):
    return registry.load("dataset", name)(**SMALL[name] | more)


@pytest.fixture(scope="module", params=SMALL)
def made(request):
    dataset = make(request.param)
    return request.param, dataset, dataset.load()


def columns(data):
    return [column for rows in (data.train, data.test) for column in (*rows.inputs.values(), *rows.targets.values())]


def test_rows_agree_with_the_spec(made, cache):
    _, dataset, data = made
    for part in ("train", "test"):
        rows = getattr(data, part)
        assert len(rows) == dataset.spec.rows[part]
        for name, given in dataset.spec.inputs.items():
            column = rows.inputs[name]
            assert column.shape == (len(rows), *given.shape)
            if given.encoding == "tokens":
                assert column.dtype == torch.uint16
                assert 0 < int(column.numpy().min()) <= int(column.numpy().max()) < given.vocabulary
            else:
                assert column.dtype == (torch.uint8 if given.divide_by == 255 else torch.float32)
        for name, given in dataset.spec.targets.items():
            target = rows.targets[name]
            assert target.shape == (len(rows), *given.shape)
            indices = given.problem == "multiclass" and not given.shape
            assert target.dtype == (torch.int64 if indices else torch.float32)
            if given.classes:
                assert 0 <= float(target.min()) < float(target.max()) <= max(given.classes - 1, 1)
    assert not cache.exists()


@pytest.mark.parametrize(("source", "reported"), [("real", "real"), ("auto", "real"), ("sample", "sample")])
def test_every_source_gives_the_same_rows_each_time(made, source, reported):
    name, _, data = made
    dataset = make(name, source=source)
    again = dataset.load()
    assert again.source == dataset.resolve_source() == reported
    assert all(torch.equal(a, b) for a, b in zip(columns(data), columns(again), strict=True))


def test_samples_are_few_rows(made):
    name, *_ = made
    dataset = make(name, n=_made.SAMPLE + 1, source="sample")
    data = dataset.load()
    assert len(data.train) == len(data.test) == _made.SAMPLE
    assert dataset.spec.rows == {"train": _made.SAMPLE + 1, "test": _made.SAMPLE + 1}


def test_no_row_occurs_twice(made):
    _, _, data = made
    rows = [
        b"".join(column[i].numpy().tobytes() for column in part.inputs.values())
        for part in (data.train, data.test)
        for i in range(len(part))
    ]
    assert len(set(rows)) == len(rows)


def test_a_row_is_described_in_one_line_and_the_data_on_a_card(made):
    _, dataset, data = made
    lines = [dataset.describe(data, "test", i) for i in range(len(data.test))]
    assert all(0 < len(line) < 200 and "\n" not in line for line in lines)
    assert len(set(lines)) > 2
    shown = dict(row[:2] for row in card(dataset, data, columns=True))
    assert all(f"train {name}" in shown for name in (*dataset.spec.inputs, *dataset.spec.targets))


def test_what_can_t_be_read_is_an_error(made):
    _, dataset, _ = made
    for raw in ("", "nonsense", "{}", "[]", '{"x": "nonsense"}', "[1, 2", "null"):
        with pytest.raises(DataError, match=r"expected|nothing for"):
            dataset.encode(raw)


def test_larger_vocabularies_are_stored_in_more_bits():
    assert make("social_posts", vocabulary=2**16).load().train.inputs["posts"].dtype == torch.uint16
    assert make("social_posts", vocabulary=2**16 + 1).load().train.inputs["posts"].dtype == torch.int32
