"""Guards that look at rows: each speaks when it should, and is silent when it has no reason."""

from __future__ import annotations

import itertools
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import dlrun.guards._identity as identity
from dlrun.contracts import Bags, InputSpec, Split, TargetSpec
from dlrun.datasets import imdb

R = np.random.default_rng(0)


def halves(n: int, folds: int = 2) -> list[Split]:
    parts = np.array_split(np.arange(n), folds)
    return [Split(0, k, np.setdiff1d(np.arange(n), part), part) for k, part in enumerate(parts)]


# duplicates


def test_copies_in_validation_and_test_are_counted(check, with_data):
    rows = R.random((100, 5))
    rows[95:98] = rows[0]
    said = check("duplicates", with_data(rows, held_out=20, test=np.concatenate([rows[:2], R.random((8, 5))])))
    assert said[0].startswith("3 of 20 (15 %) validation rows occur among the training rows too")
    assert said[1].startswith("2 of 10 (20 %) test rows occur outside the test set too")


def test_copies_on_one_side_are_no_leak(check, with_data):
    rows = R.random((100, 5))
    rows[90:] = rows[99]
    rows[:5] = rows[0]
    assert check("duplicates", with_data(rows, held_out=20, test=R.random((10, 5)))) == []


def test_a_few_copies_are_left_unsaid_unless_asked_for(check, one, with_data):
    rows = R.random((1000, 5))
    rows[999] = rows[0]
    context = with_data(rows, held_out=200)
    assert check("duplicates", context) == []
    assert "1 of 200 (0.5 %)" in one("duplicates", context, share=0.0)


def test_of_many_folds_the_first_is_named_and_all_are_counted(one, with_data):
    rows = R.random((100, 5))
    rows[50] = rows[0]
    context = replace(with_data(rows), splits=halves(100, 4))
    assert "1 of 25 (4 %) validation rows of split r0f0 (2 of 4 splits are like it) occur" in one("duplicates", context)


@pytest.mark.parametrize("copied", [True, False])
def test_large_data_are_sampled_and_that_is_said(check, with_data, monkeypatch, copied):
    monkeypatch.setattr(identity.identify, "__defaults__", (identity.MOST_BYTES, 1000))
    rows = R.random((4000, 5))
    if copied:
        rows[2000:] = rows[:2000]
    said = check("duplicates", with_data(rows, held_out=2000))
    assert "only a sample of 25 % of the rows" in said[-1]
    assert ("holds these copies at least" in said[-1]) == copied == (len(said) == 2)


def test_reviews_and_pictures_of_a_whole_set_are_compared_fast(check, reviews, digits):
    for context in (reviews, digits):
        start = time.process_time()
        assert check("duplicates", replace(context)) == []
        assert time.process_time() - start < 0.3


def test_the_copies_among_the_real_reviews(check, reviews, mirror, tmp_path, monkeypatch):
    """Counted once more as byte strings."""
    monkeypatch.setenv("DLRUN_DATA", str(tmp_path))
    data, rows = imdb.build().load(), np.arange(25_000)
    context = replace(reviews, data=data, splits=[Split(0, 0, rows[10_000:], rows[:10_000])])
    start = time.process_time()
    said = check("duplicates", context, share=0.0)
    assert time.process_time() - start < 0.3
    train, test = (_texts(part.inputs["review"]) for part in (data.train, data.test))
    in_train, in_both = set(train[10_000:]), set(train)
    assert said[0].startswith(f"{sum(t in in_train for t in train[:10_000])} of 10,000 (0.51 %) validation rows")
    assert said[1].startswith(f"{sum(t in in_both for t in test)} of 25,000 (0.492 %) test rows")


def _texts(bags: Bags) -> list[bytes]:
    values, ends = bags.values.numpy(), bags.offsets.tolist()
    return [values[first:last].tobytes() for first, last in itertools.pairwise(ends)]


# validation_is_test


def test_validation_rows_that_are_the_test_set(check, one, with_data):
    rows = R.random((100, 5))
    sentence = one("validation_is_test", with_data(rows, held_out=20, test=rows[80:]))
    assert sentence.startswith("20 of 20 (100 %) validation rows are in the test set")
    assert check("validation_is_test", with_data(rows, held_out=20, test=rows[90:])) == []
    assert check("validation_is_test", with_data(rows, held_out=20)) == []
    assert check("validation_is_test", with_data(rows, test=rows[80:])) == []


def test_an_evaluation_that_says_so_itself(one, reviews):
    parts = replace(reviews.parts, evaluation=SimpleNamespace(validates_on="test"))
    assert "the test set is the validation set" in one("validation_is_test", replace(reviews, parts=parts))


# class_balance


def test_digits_sorted_by_class_are_never_trained_on(one, with_data):
    labels = np.repeat(np.arange(10), 50)
    sentence = one("class_balance", with_data(R.random((500, 2)), labels, held_out=100))
    assert sentence.startswith("100 of 100 validation rows are of 2 class(es) without any training row (8, 9)")
    assert "evaluation.order=shuffled" in sentence


def test_a_class_without_a_validation_row_is_told(check, one, with_data):
    labels = np.zeros(200, np.float32)
    labels[[3, 50, 90, 120]] = 1
    rare = TargetSpec("binary", classes=2, labels=("no", "yes"))
    sentence = one("class_balance", with_data(R.random((200, 2)), labels, held_out=40, target=rare))
    assert sentence.startswith("none of the 40 validation rows is of class 'yes', which 4 training rows are of")
    assert "evaluation.stratify=true" in sentence
    labels[170] = 1
    assert check("class_balance", with_data(R.random((200, 2)), labels, held_out=40, target=rare)) == []
    many = np.concatenate([np.arange(160) % 4, np.arange(40) % 3])
    sentence = one("class_balance", with_data(R.random((200, 2)), many, held_out=40))
    assert "is of class 3, which 40 training rows" in sentence


def test_a_class_with_a_single_row_is_told(check, one, with_data):
    labels = np.arange(200) % 4
    labels[7] = 5
    sentence = one("class_balance", with_data(R.random((200, 2)), labels, held_out=40))
    assert sentence.startswith("1 class(es) have a single row in all the data (5)")
    assert check("class_balance", with_data(R.random((200, 2)), labels)) == []  # nothing is scored
    labels[8] = 5
    assert check("class_balance", with_data(R.random((200, 2)), labels, held_out=40)) == []


def test_shares_that_differ_beyond_chance_are_told_with_the_class_that_differs_most(one, with_data):
    labels = np.concatenate([np.arange(800) % 4, np.zeros(100, int), np.arange(100) % 4])
    target = TargetSpec("multiclass", classes=4, labels=("red", "green", "blue", "grey"))
    context = with_data(
        R.random((1000, 2)), labels, held_out=200, test=R.random((4, 2)), test_labels=[0, 1, 2, 3], target=target
    )
    assert "class 'red' is 25 % of the training rows and 62.5 % of the validation rows," in one(
        "class_balance", context
    )


def test_the_p_value_is_that_of_scipy(with_data):
    from scipy.stats import chi2_contingency

    from dlrun.guards.class_balance import _chi_square

    train, held_out = R.integers(20, 90, 6), R.integers(20, 90, 6)
    expected = chi2_contingency(np.stack([train, held_out]), correction=False)
    _, statistic, freedom = _chi_square(train, held_out)
    assert (statistic, freedom) == (pytest.approx(expected.statistic), expected.dof)
    rare = np.array([3, 4, 2]), np.array([4, 1, 5])  # none of them counts alone
    pooled = chi2_contingency(np.stack([[*train, 9], [*held_out, 10]]), correction=False)
    _, statistic, freedom = _chi_square(np.append(train, rare[0]), np.append(held_out, rare[1]))
    assert (statistic, freedom) == (pytest.approx(pooled.statistic), pooled.dof)
    assert _chi_square(*rare)[2] == 0


@pytest.mark.parametrize("seed", range(5))
def test_chance_is_no_reason_to_speak(check, with_data, seed):
    random = np.random.default_rng(seed)
    labels = random.choice(10, 3000, p=np.arange(1, 11) / 55)
    test = random.choice(10, 500, p=np.arange(1, 11) / 55)
    context = with_data(random.random((3000, 2)), labels, held_out=600, test=random.random((500, 2)), test_labels=test)
    assert check("class_balance", context) == []


def test_a_real_but_small_difference_is_left_unsaid_unless_asked_for(check, one, with_data):
    labels = np.concatenate([np.arange(200_000) % 2, np.arange(100_000) % 100 < 53]).astype(np.float32)
    target = TargetSpec("binary", classes=2, labels=("no", "yes"))
    context = with_data(np.zeros((300_000, 1)), labels, held_out=100_000, target=target)
    assert check("class_balance", context) == []
    assert "class 'no' is 50 % of the training rows and 47 %" in one("class_balance", context, difference=0.01)


def test_one_hot_targets_are_classes_and_numbers_are_none(check, one, with_data):
    labels = np.repeat(np.arange(2), 50)
    spec = TargetSpec("multiclass", classes=2)
    assert "(1)" in one("class_balance", with_data(R.random((100, 2)), np.eye(2)[labels], held_out=50, target=spec))
    assert (
        check(
            "class_balance", with_data(R.random((100, 2)), labels * 1.0, held_out=50, target=TargetSpec("regression"))
        )
        == []
    )


# time_order


@pytest.mark.parametrize("kind", [float, "datetime64[s]"])
def test_validation_rows_among_the_training_rows_in_time(check, one, with_data, kind):
    time = np.arange(100).astype(kind)
    time[3] = np.array("nan" if kind is float else "NaT", kind)
    shuffled = time[R.permutation(100)]
    assert check("time_order", with_data(R.random((100, 2)), held_out=20, time=time)) == []
    sentence = one("time_order", with_data(R.random((100, 2)), held_out=20, time=shuffled))
    early = (shuffled[80:] < np.nanmax(shuffled[:80])).sum()
    assert sentence.startswith(f"{early} of {20 - int((shuffled[80:] != shuffled[80:]).sum())} ")
    assert "evaluation.order=chronological" in sentence
    context = with_data(R.random((100, 2)), held_out=20, time=shuffled)
    context = replace(context, data=replace(context.data, validation=20))
    assert "evaluation.validation=given" in one("time_order", context)


def test_a_test_set_that_is_earlier(check, one, with_data):
    time = np.arange(100)
    context = with_data(R.random((100, 2)), test=R.random((10, 2)), time=time, test_time=np.arange(95, 105))
    assert one("time_order", context).startswith("4 of 10 (40 %) test rows are earlier")
    later = with_data(R.random((100, 2)), test=R.random((10, 2)), time=time, test_time=np.arange(99, 109))
    assert check("time_order", later) == []


def test_data_without_a_time_have_no_order(check, with_data):
    assert check("time_order", with_data(R.random((100, 2)), held_out=20)) == []


# normalisation


@pytest.mark.parametrize(
    ("standardize", "held_out", "speaks"), [("pool", 20, 1), ("pool", 0, 0), ("train", 20, 0), ("no", 20, 0)]
)
def test_statistics_of_held_out_rows(check, with_data, standardize, held_out, speaks):
    context = with_data(R.random((100, 2)), held_out=held_out, given=InputSpec((2,), standardize=standardize))
    said = check("normalisation", context)
    assert len(said) == speaks
    if said:
        assert "input 'x' come from all 100 rows outside the test set, 20 validation rows among them" in said[0]
