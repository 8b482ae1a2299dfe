"""Splits: which rows train and which validate."""

from __future__ import annotations

import numpy as np
import pytest

from dlrun.contracts import Split
from dlrun.errors import ConfigError
from dlrun.evaluations import holdout, iterated_kfold, kfold

TARGETS = np.array([0, 1] * 25 + [0])  # 51 rows: no K divides them


def disjoint_and_complete(split: Split, n: int) -> bool:
    return sorted([*split.train, *split.val]) == list(range(n))


@pytest.mark.parametrize("order", ["shuffled", "positional", "chronological"])
@pytest.mark.parametrize(("validation", "rows"), [(10, 10), (0.2, 10), (1, 1), (50, 50)])
def test_holdout_holds_out_what_it_says(order: str, validation: float, rows: int) -> None:
    (split,) = holdout.build(validation=validation, order=order).splits(TARGETS, 0)
    assert len(split.val) == rows
    assert disjoint_and_complete(split, 51)


def test_positional_takes_the_first_rows_and_chronological_the_last() -> None:
    (first,) = holdout.build(validation=10, order="positional").splits(TARGETS, 0)
    (last,) = holdout.build(validation=10, order="chronological").splits(TARGETS, 0)
    assert list(first.val) == list(range(10))
    assert list(first.train) == list(range(10, 51))
    assert list(last.val) == list(range(41, 51))
    assert last.train.max() < last.val.min()


def test_rows_that_the_data_set_apart_are_held_out() -> None:
    (split,) = holdout.build(validation="given").splits(TARGETS, 0, given=7)
    assert list(split.val) == list(range(44, 51))
    assert list(split.train) == list(range(44))
    with pytest.raises(ConfigError, match="'given' is impossible: the data set no rows apart"):
        holdout.build(validation="given").splits(TARGETS, 0)


def test_no_validation_trains_on_everything() -> None:
    scheme = holdout.build(validation=0)
    (split,) = scheme.splits(TARGETS, 0)
    assert list(split.train) == list(range(51))
    assert len(split.val) == 0
    assert not scheme.validates


def test_counts_shrink_with_sample_data_and_shares_do_not() -> None:
    (count,) = holdout.build(validation=100, order="positional").splits(TARGETS, 0, scale=0.1)
    (share,) = holdout.build(validation=0.5, order="positional").splits(TARGETS, 0, scale=0.1)
    assert len(count.val) == 10
    assert len(share.val) == round(0.5 * 51)


@pytest.mark.parametrize("validation", [51, 60, 0.001])
def test_holdout_refuses_what_leaves_nothing(validation: float) -> None:
    with pytest.raises(ConfigError, match="expected to hold out between 1 and 50 of 51 rows"):
        holdout.build(validation=validation).splits(TARGETS, 0)


def test_stratified_holdout_keeps_the_shares() -> None:
    targets = np.array([0] * 90 + [1] * 10)
    (split,) = holdout.build(validation=20, stratify=True).splits(targets, 0)
    assert targets[split.val].sum() == 2


@pytest.mark.parametrize(
    ("targets", "message"),
    [(np.array([0] * 30 + [1]), "class 1 has 1 rows"), (np.linspace(0, 1, 30), "expected class targets")],
)
def test_stratify_says_why_it_cannot(targets: np.ndarray, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        holdout.build(validation=5, stratify=True).splits(targets, 0)


def test_shuffled_splits_follow_the_seed_and_the_repeat() -> None:
    scheme = holdout.build(validation=10, n_repeats=3)
    one, two, three = scheme.splits(TARGETS, 7)
    again = scheme.splits(TARGETS, 7)
    assert [s.repeat for s in (one, two, three)] == [0, 1, 2]
    assert list(one.val) == list(again[0].val)
    assert set(one.val) != set(two.val)
    assert set(one.val) != set(scheme.splits(TARGETS, 8)[0].val)


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("n_splits", [2, 4, 51])
def test_kfold_validates_every_row_once(shuffle: bool, n_splits: int) -> None:
    splits = kfold.build(n_splits=n_splits, shuffle=shuffle).splits(TARGETS, 0)
    assert sorted(np.concatenate([s.val for s in splits])) == list(range(51))
    assert all(disjoint_and_complete(s, 51) for s in splits)
    assert [s.fold for s in splits] == list(range(n_splits))


def test_unshuffled_folds_are_the_books_blocks() -> None:
    splits = kfold.build(n_splits=4, shuffle=False).splits(np.zeros(404), 0)
    assert [(s.val[0], s.val[-1]) for s in splits] == [(0, 100), (101, 201), (202, 302), (303, 403)]


def test_stratified_folds_have_every_class() -> None:
    targets = np.array([0] * 40 + [1] * 8)
    splits = kfold.build(n_splits=4, stratify=True).splits(targets, 0)
    assert [targets[s.val].sum() for s in splits] == [2, 2, 2, 2]


def test_repeats_of_kfold_keep_the_folds_and_iterated_ones_reshuffle() -> None:
    same = kfold.build(n_splits=3, n_repeats=2).splits(TARGETS, 0)
    other = iterated_kfold.build(n_splits=3, n_repeats=2).splits(TARGETS, 0)
    assert len(same) == len(other) == 6
    assert list(same[0].val) == list(same[3].val)
    assert list(other[0].val) != list(other[3].val)
    assert sorted(np.concatenate([s.val for s in other[3:]])) == list(range(51))


def test_more_folds_than_rows_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"expected at most 51, a row per fold, received 52"):
        kfold.build(n_splits=52).splits(TARGETS, 0)
