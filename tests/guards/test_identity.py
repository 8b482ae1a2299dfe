from __future__ import annotations

import numpy as np
import pytest
import torch

from dlrun.contracts import Bags, Rows
from dlrun.guards._identity import copies, identify
from dlrun.picking import pick


def bags(rows: list[list[int]], padding: int = 0) -> Bags:
    offsets = np.cumsum([0, *map(len, rows)])
    return Bags(
        torch.tensor([i for row in rows for i in row] + [7] * padding, dtype=torch.int32), torch.from_numpy(offsets)
    )


def equal(rows: Rows, **kwargs: int) -> list[list[bool]]:
    found = identify(rows, None, **kwargs).train
    return (found[:, None] == found).tolist()


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float64, torch.int64, torch.bool])
@pytest.mark.parametrize("width", [1, 3, 8, 13])
def test_rows_are_one_exactly_where_all_their_numbers_are(dtype, width):
    values = torch.randint(2, (200, width)).to(dtype)
    expected = (values[:, None] == values).all(-1)
    assert equal(Rows({"x": values}, {})) == expected.tolist()


def test_the_place_of_a_number_counts_and_pictures_are_rows():
    rows = torch.tensor([[[1, 0], [0, 0]], [[0, 1], [0, 0]], [[0, 0], [0, 1]], [[1, 0], [0, 0]]], dtype=torch.uint8)
    assert equal(Rows({"x": rows}, {}))[0] == [True, False, False, True]


def test_one_bit_is_a_difference_in_each_of_many_places():
    rows = torch.zeros(785, 784, dtype=torch.uint8)
    rows[torch.arange(784), torch.arange(784)] = 128
    assert len(set(identify(Rows({"x": rows}, {}), None).train.tolist())) == 785


def test_bags_are_sets_and_padding_is_no_part_of_them():
    rows = Rows({"x": bags([[1, 2], [3], [2, 1], [], [3, 0], []], padding=5)}, {})
    found = identify(rows, None).train.tolist()
    assert found[0] == found[2]
    assert found[3] == found[5]
    assert len(set(found)) == 4


def test_every_input_of_a_row_counts():
    values, words = torch.tensor([[1.0], [1.0], [1.0]]), bags([[1], [2], [1]])
    assert equal(Rows({"a": values, "b": words}, {}))[0] == [True, False, True]


def test_large_data_are_sampled_rows_with_the_numbers_they_have():
    values = torch.arange(1000).repeat(2)[:, None]
    for column in (values, bags([[int(v)] for v in values[:, 0]])):
        rows = Rows({"x": column}, {})
        found = identify(rows, rows, most_rows=1000)
        assert found.share == pytest.approx(0.25)
        for part in (found.train, found.test):
            assert (part >= 0).sum() == 500
        both = (found.train[:1000] >= 0) & (found.train[1000:] >= 0)
        assert both.any()
        assert (found.train[:1000] == found.train[1000:])[both].all()


def test_copies_are_counted_with_repetition_and_unknown_rows_are_not():
    assert copies(np.array([1, 1, 2, -1, 9]), np.array([1, -1, 5])) == 2
    assert copies(np.array([], int), np.array([1])) == 0


def test_picked_rows_are_those_rows():
    rows = Rows(
        {"a": torch.arange(8).reshape(4, 2), "b": bags([[1, 2], [], [3], [4, 5, 6]], padding=2)}, {"y": torch.arange(4)}
    )
    some = pick(rows, np.array([3, 1, 0]))
    assert some.inputs["a"].tolist() == [[6, 7], [2, 3], [0, 1]]
    assert some.targets["y"].tolist() == [3, 1, 0]
    words = some.inputs["b"]
    assert (words.values.tolist(), words.offsets.tolist()) == ([4, 5, 6, 1, 2], [0, 3, 3, 5])
    assert pick(rows, np.array([2]), inputs=False).inputs == {}
