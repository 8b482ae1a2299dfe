"""Windows of a series: which there are, that none sees what is later, and what is wrong with a file."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from _book_generator import generator, steps

from dlrun.contracts import Data, Dataset, Split
from dlrun.datasets import timeseries
from dlrun.datasets._series import Cut
from dlrun.errors import ConfigError, DataError
from dlrun.loaders import Loader
from dlrun.standardizing import adapt, standardized

T, C = 400, 3
RANGES = {"train": [0, 200], "validation": [201, 300], "test": [301, None]}
NAMES = ["a", "b", "c"]


def numbers(seed: int = 0, rows: int = T) -> np.ndarray:
    return np.random.default_rng(seed).normal(5, 3, (rows, C)).astype(np.float32)


def text(values: np.ndarray) -> str:
    return "\n".join([",".join(NAMES), *(",".join(repr(float(v)) for v in row) for row in values)]) + "\n"


@pytest.fixture
def write(tmp_path):
    count = itertools.count()

    def to(content: str | bytes) -> str:
        path = tmp_path / f"series{next(count)}.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return to


def build(path: str, **more) -> timeseries.Timeseries:
    given = {"target": "b", "lookback": 12, "step": 3, "delay": 4, **RANGES, **more}
    return timeseries.build(path=path, **given)


def materialised(data: Data, part: str) -> tuple[torch.Tensor, torch.Tensor]:
    rows = getattr(data, part)
    return rows.inputs["series"].of(torch.arange(len(rows))), rows.targets["b"]


# Which windows there are


@pytest.mark.parametrize("batch_size", [1, 7, 16])
@pytest.mark.parametrize(("lookback", "step", "delay"), [(12, 3, 4), (10, 1, 0), (20, 5, 9), (9, 9, 1)])
def test_windows_and_their_order_are_those_of_the_book_s_generator(write, lookback, step, delay, batch_size):
    values = numbers()
    data = build(write(text(values)), lookback=lookback, step=step, delay=delay, whole_batches=batch_size).load()
    windows, targets = materialised(data, "train")
    held = {
        "validation": (windows[-data.validation :], targets[-data.validation :]),
        "test": materialised(data, "test"),
    }
    for part, (first, last) in ((p, RANGES[p]) for p in held):
        batches = steps(T, lookback, first, last, batch_size)
        wanted = generator(values, lookback, delay, first, last, step, batch_size, target=1)
        expected = [next(wanted) for _ in range(batches)]
        found, aims = held[part]
        assert len(found) == batches * batch_size
        assert np.array_equal(found.numpy(), np.concatenate([x for x, _ in expected]))
        assert np.array_equal(aims.numpy(), np.concatenate([y for _, y in expected]))


def test_training_windows_are_those_that_the_book_draws_from(write):
    values = numbers()
    data = build(write(text(values))).load()
    drawn = generator(values, 12, 4, *RANGES["train"], 3, 4000, target=1, random=np.random.RandomState(0))
    windows, targets = (x[: len(x) - data.validation] for x in materialised(data, "train"))
    expected, aims = next(drawn)
    assert {w.tobytes() for w in windows.numpy()} == {w.tobytes() for w in expected}
    assert set(targets.tolist()) == set(aims.tolist())


@pytest.mark.parametrize(("lookback", "val", "test"), [(1440, 769, 930), (720, 775, 936)])
def test_the_book_s_numbers_of_windows(lookback, val, test):
    ranges = [0, 200_000], [200_001, 300_000], [300_001, None]
    rows = 420_551
    exact = Cut(lookback, 6, 144, 1, False, *ranges, None)
    assert len(exact.references("train", rows)) == 200_000 - lookback
    assert len(exact.references("validation", rows)) == 300_000 - 200_001 - lookback
    assert len(exact.references("test", rows)) == rows - 144 - 300_001 - lookback
    whole = Cut(lookback, 6, 144, 1, False, *ranges, 128)
    assert len(whole.references("train", rows)) == 200_000 - lookback
    assert len(whole.references("validation", rows)) == 128 * val
    references = whole.references("test", rows)
    assert len(references) == 128 * test
    assert references[-128] == 300_001 + lookback  # a batch too many: it begins again
    assert references.max() + 144 < rows


def test_the_last_window_s_target_is_the_last_row(write):
    values = numbers()
    data = build(write(text(values))).load()
    assert float(data.test.targets["b"][-1]) == values[-1, 1]
    horizon = build(write(text(values)), horizon=5).load()
    assert np.array_equal(horizon.test.targets["b"][-1].numpy(), values[-13::3, 1])


def test_ranges_may_be_shares_or_missing(write):
    path = write(text(numbers()))
    shares = build(path, train=[0, 0.5], validation=[0.5, 0.75], test=[0.75, 1.0]).load()
    rows = build(path, train=[0, 200], validation=[200, 300], test=[300, None]).load()
    for part in ("train", "test"):
        assert all(torch.equal(a, b) for a, b in zip(materialised(shares, part), materialised(rows, part), strict=True))
    alone = build(path, train=[0, None], validation=None, test=None).load()
    assert (len(alone.train), alone.validation, alone.test) == (T - 12 - 4, 0, None)


def test_a_recent_window_ends_before_its_reference_row(write):
    values = numbers()
    data = build(write(text(values)), recent=True).load()
    windows, targets = materialised(data, "train")
    assert np.array_equal(windows[0].numpy(), values[[2, 5, 8, 11]])
    assert float(targets[0]) == values[12 + 4, 1]


def test_a_target_may_be_no_input(write):
    values = numbers()
    dataset = build(write(text(values)), columns=["c", "a"])
    data = dataset.load()
    assert isinstance(dataset, Dataset)
    assert (dataset.spec.inputs["series"].names, dataset.spec.targets["b"].channel) == (("c", "a"), None)
    windows, targets = materialised(data, "train")
    assert np.array_equal(windows[0].numpy(), values[0:12:3][:, [2, 0]])
    assert float(targets[0]) == values[16, 1]


# No look-ahead


@pytest.mark.parametrize("recent", [False, True])
@pytest.mark.parametrize("horizon", [1, 3])
def test_no_window_sees_anything_from_its_reference_row_on(write, recent, horizon):
    """Whatever the rows from the reference row on are changed to, the window is the same; and none of its targets lies
    before that row."""
    values, path = numbers(), None
    path = write(text(values))
    more = {"recent": recent, "horizon": horizon}
    data = build(path, **more).load()
    for part in ("train", "test"):
        windows, targets = materialised(data, part)
        references = (data.extras["time"] if part == "train" else data.extras["test_time"]).tolist()
        for i in range(0, len(windows), 17):
            later, earlier = values.copy(), values.copy()
            later[references[i] :] = 1e6
            earlier[: references[i] + 4] = -1e6
            assert torch.equal(materialised(build(write(text(later)), **more).load(), part)[0][i], windows[i])
            assert torch.equal(materialised(build(write(text(earlier)), **more).load(), part)[1][i], targets[i])


def mean_and_deviation(values: np.ndarray, path: str, **more) -> tuple[np.ndarray, ...]:
    dataset = build(path, **more)
    data = dataset.load()
    n = len(data.train) - data.validation

    class Zero(torch.nn.Module):
        output_activations = {"b": "linear"}  # noqa: RUF012

    model = standardized(Zero(), dataset.spec).double()
    adapt(model, dataset.spec, data.train, Split(0, 0, np.arange(n), np.arange(n, len(data.train))))
    return tuple(t.numpy().copy() for t in model.buffers())


def test_the_series_is_normalised_by_its_training_rows_each_once(write):
    values = numbers()
    mean, std, target_mean, target_std = mean_and_deviation(values, write(text(values)))
    known = values[:200].astype(np.float64)
    np.testing.assert_allclose(mean, known.mean(0), rtol=1e-12)
    np.testing.assert_allclose(std, known.std(0), rtol=1e-12)
    np.testing.assert_allclose((target_mean, target_std), (known[:, 1].mean(), known[:, 1].std()), rtol=1e-12)


def test_no_row_outside_the_training_range_takes_part_in_the_normalisation(write):
    values = numbers()
    changed = values.copy()
    changed[200:] *= 1000
    before, after = (mean_and_deviation(v, write(text(v))) for v in (values, changed))
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    inside = values.copy()
    inside[199] *= 1000
    assert not np.array_equal(mean_and_deviation(inside, write(text(inside)))[0], before[0])


# Memory


def test_windows_of_all_parts_look_into_one_series_and_nothing_is_copied(write):
    data = build(write(text(numbers()))).load()
    train, test = data.train.inputs["series"], data.test.inputs["series"]
    assert train.phases.data_ptr() == test.phases.data_ptr()
    spec = build(write(text(numbers()))).spec
    loader = Loader(data.train, spec, [np.arange(len(data.train))], 32, torch.float32)
    assert loader.rows.inputs["series"].phases.data_ptr() == train.phases.data_ptr()


def test_all_that_is_kept_is_less_than_three_series():
    """Of the book's file: the series, where each window begins, and the targets."""
    from dlrun.datasets import _series

    rows, channels = 420_551, 14
    cut = Cut(1440, 6, 144, 1, False, [0, 200_000], [200_001, 300_000], [300_001, None], 128)
    names = [str(i) for i in range(channels)]
    known = _series.spec(cut, names, "1", ("series", "b"), "", "train", {})
    series = torch.zeros(rows, channels)
    data = _series.data(cut, known, series, series[:, 1], "real", {})
    tensors = [series, data.train.inputs["series"].phases]
    for part in (data.train, data.test):
        tensors += [part.inputs["series"].starts, part.targets["b"]]
    more = sum(times.nbytes for times in data.extras.values())
    assert sum(t.untyped_storage().nbytes() for t in tensors) + more <= 3 * series.nbytes


# What is wrong

NAN, SHORT = text(numbers()).splitlines(), text(numbers(rows=10))
TIMED = ["time,a,b,c", *(f"2024-01-0{1 + i // 24} {i % 24:02d}:00,1,{i},3" for i in range(96))]


def swapped(i: int) -> str:
    lines = TIMED.copy()
    lines[i], lines[i + 1] = lines[i + 1], lines[i]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("content", "more", "said"),
    [
        ("\n".join([*NAN[:6], "1,nan,3", *NAN[7:]]), {}, "line 7: column 'b' has no value there"),
        ("\n".join([*NAN[:6], "1,2,", *NAN[7:]]), {}, "line 7: column 'c' has no value there"),
        ("\n".join([*NAN[:6], "1,warm,3", *NAN[7:]]), {}, "line 7: column 'b': a series needs a number in every row"),
        ("\n".join([*NAN[:6], "1,2", *NAN[7:]]), {}, "line 7: expected 3 fields"),
        (swapped(30), {"time": "time"}, "line 32: dataset.time, column 'time': not later than the row before"),
        ("\n".join([*TIMED[:9], *TIMED[8:]]), {"time": "time"}, "line 10: dataset.time, column 'time': not later"),
        (swapped(3).replace("2024-01-01 05:00", "soon"), {"time": "time"}, "expected a number or a date"),
        (SHORT, {"train": [0, None], "validation": None, "test": None}, "no window fits into rows 0 to 9 of 10: it takes"),
        (text(numbers()), {"lookback": 600}, "dataset.train: no window fits into rows 0 to 199 of 400"),
        (text(numbers()), {"test": [301, 500]}, "dataset.test: the series has 400 rows, the range ends at 500"),
        (text(numbers()), {"validation": [150, 300]}, "dataset.train and dataset.validation have rows in common: 150"),
        (text(numbers()), {"whole_batches": 128}, "less than a batch of dataset.whole_batches=128"),
        (text(numbers()), {"target": "d"}, "dataset.target: "),
        (text(numbers()), {"columns": ["a", "bb"]}, "dataset.columns: "),
        (text(numbers()).replace("a,b,c", "ä,b,c").encode("latin-1"), {}, "line 1: byte 0xe4 is not UTF-8. Set dataset.enc"),
        (text(numbers()).encode("utf-16"), {}, "UTF-16"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file_is_one_error_with_its_line(write, content, more, said):
    with pytest.raises(DataError) as error:
        build(write(content), **more).load()
    assert said in str(error.value)


def test_what_is_wrong_with_arguments_is_said_at_once():
    with pytest.raises(ConfigError) as error:
        timeseries.build(
            path="", target="", lookback=100, step=7, encoding="utf-9", train=[5, 5], validation=None, test=None
        )
    problems = {p.path: f"{p.message} {p.hint}" for p in error.value.problems}
    assert set(problems) == {"dataset.path", "dataset.target", "dataset.lookback", "dataset.encoding", "dataset.train"}
    assert "nearest is 98" in problems["dataset.lookback"]
    assert "Did you mean 'utf-8'?" in problems["dataset.encoding"]


def test_another_encoding_can_be_named(write):
    content = text(numbers()).replace("a,b,c", "ä,b,c").encode("latin-1")
    assert build(write(content), encoding="latin-1").spec.inputs["series"].names == ("ä", "b", "c")


def test_rows_that_are_not_evenly_spaced_are_warned_of(write, caplog):
    lines = TIMED[:50] + TIMED[55:]
    build(write("\n".join(lines)), time="time", train=[0, 40], validation=None, test=None).load()
    (record,) = [r for r in caplog.records if r.levelname == "WARNING"]
    assert "most rows are 3600 apart in column 'time', but 1 are not, the first at line 51" in record.getMessage()


def test_a_new_file_is_predicted_from_its_last_rows(write):
    values = numbers()
    dataset = build(write(text(values)))
    rows = dataset.encode(write(text(values[:20])))
    windows = rows.inputs["series"]
    assert len(rows) == 20 - 12 + 1
    assert np.array_equal(windows[len(rows) - 1].numpy(), values[8:20:3])
    with pytest.raises(DataError, match=r"expected at least dataset\.lookback=12 rows, received 5"):
        dataset.encode(write(text(values[:5])))
