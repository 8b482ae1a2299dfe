"""Rows that are windows of one series: every part treats them as the rows that they stand for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from dlrun.baselines import linear, persistence
from dlrun.contracts import DataSpec, InputSpec, Rows, TargetSpec, Windows, dealt
from dlrun.errors import ConfigError
from dlrun.guards._identity import identify
from dlrun.judging import judge
from dlrun.loaders import Loader, to_device
from dlrun.metrics import auto, forecast, mae, normalised_mae
from dlrun.picking import pick

T, C, N, STEPS, STEP = 90, 3, 60, 4, 5


def over(series: torch.Tensor, starts: torch.Tensor, steps: int, step: int, ahead: int = 1) -> Windows:
    return Windows(dealt(series, step), len(series), starts, steps, ahead)


def series_of(windows: Windows) -> torch.Tensor:
    return windows.values(torch.arange(windows.length))


def rows(dtype: torch.dtype = torch.float32) -> tuple[Rows, Rows]:
    """The same rows twice: as windows, and each written out."""
    series = torch.randn(T, C, generator=torch.Generator().manual_seed(0)).to(dtype)
    windows = over(series, torch.arange(N), STEPS, STEP, STEP)
    targets = {"y": series[torch.arange(N) + 25, 1]}
    written_out = torch.stack([series[i : i + STEPS * STEP : STEP] for i in range(N)])
    return Rows({"x": windows}, targets), Rows({"x": written_out}, targets)


def spec(standardize: str = "no", channel: tuple[str, int] | None = None) -> DataSpec:
    return DataSpec(
        {"x": InputSpec((STEPS, C), standardize=standardize, series=True)},
        {"y": TargetSpec("regression", standardize=standardize, channel=channel)},
    )


@pytest.mark.parametrize("seeds", [None, [3, 4]])
@pytest.mark.parametrize("index", [[np.arange(N)], [np.arange(0, 40), np.arange(7, 46)]], ids=["one", "stack"])
def test_batches_are_those_of_the_rows_written_out(index, seeds):
    for one, other in zip(*(batches(r, index, seeds) for r in rows()), strict=True):
        assert torch.equal(one.batch.inputs["x"], other.batch.inputs["x"])
        assert torch.equal(one.batch.targets["y"], other.batch.targets["y"])
        assert np.array_equal(one.rows, other.rows)


def batches(given: Rows, index, seeds, dtype: torch.dtype = torch.float32):
    return list(Loader(given, spec(), index, 8, dtype, seeds and seeds[: len(index)]).epoch(1))


def test_a_batch_has_the_dtype_of_the_run_and_the_series_stays_as_it_is():
    windows, _ = rows()
    (first, *_) = batches(to_device(windows, torch.device("cpu")), [np.arange(N)], None, torch.float64)
    assert first.batch.inputs["x"].dtype == torch.float64
    assert windows.inputs["x"].phases.dtype == torch.float32


def test_picked_windows_are_the_picked_rows():
    windows, written_out = rows()
    index = np.array([5, 0, 59, 5])
    picked, wanted = (pick(r, index) for r in (windows, written_out))
    assert torch.equal(picked.inputs["x"].of(torch.arange(4)), wanted.inputs["x"])
    assert len(picked) == 4
    assert all(torch.equal(picked.inputs["x"][i], wanted.inputs["x"][i]) for i in range(4))


@pytest.mark.parametrize("step", [1, 3])
def test_windows_are_one_exactly_where_all_their_numbers_are(step):
    series = torch.randint(2, (400, 1), generator=torch.Generator().manual_seed(1)).float()
    series[200:] = series[:200]  # each window again, at another place
    windows = over(series, torch.arange(400 - 5 * step), 5, step)
    written_out = windows.of(torch.arange(len(windows)))
    expected = (written_out[:, None] == written_out).flatten(2).all(-1)
    found = identify(Rows({"x": windows}, {}), None).train
    assert np.array_equal(found[:, None] == found, expected.numpy())
    assert 32 >= len(set(found.tolist())) > 16


def test_windows_of_two_parts_are_compared():
    windows, _ = rows()
    other = Rows({"x": replace(windows.inputs["x"], starts=torch.tensor([59, 3, 70]))}, {})
    found = identify(windows, other)
    assert [found.train.tolist().count(i) for i in found.test.tolist()] == [1, 1, 0]


def test_covered_rows_are_those_from_any_window_s_start_to_its_reference_row():
    windows = over(torch.arange(41.0)[:, None], torch.tensor([2, 3, 20, 36]), 3, 2, 2)
    covered = windows.covered(torch.tensor([0, 2, 1]))
    assert covered.tolist() == [*range(2, 10), *range(20, 27)]
    assert windows.values(covered)[:, 0].tolist() == covered.tolist()
    assert windows.covered(torch.tensor([3])).tolist() == [36, 37, 38, 39, 40]  # there is no reference row yet
    assert len(windows.covered(torch.tensor([], dtype=torch.int64))) == 0


# Drawing with replacement


def test_rows_drawn_with_replacement_come_twice_and_fill_all_batches():
    given, _ = rows()
    made = Loader(given, spec(), [np.arange(5, 50)], 8, torch.float32, [3], 20, replacement=True)
    plan = made.plan(1)
    assert (plan.filled == 8).all()
    drawn = plan.rows.flatten().tolist()
    assert len(drawn) == 160
    assert set(drawn) <= set(range(5, 50))
    assert len(set(drawn[:48])) < 45  # of a pass over 45 rows some come twice
    assert torch.equal(made.plan(1).rows, plan.rows)
    assert not torch.equal(made.plan(2).rows, plan.rows)
    counts = np.bincount([n for epoch in range(1, 60) for n in made.plan(epoch).rows.flatten().tolist()])[5:]
    assert 0.7 < counts.min() / counts.mean() <= counts.max() / counts.mean() < 1.3


def test_validation_is_never_drawn():
    given, _ = rows()
    made = Loader(given, spec(), [np.arange(12)], 8, torch.float32, None, replacement=True)
    assert [n for _, n in made.epoch(0)] == [8, 4]


# Baselines and metrics


def test_persistence_says_the_last_value_seen():
    windows, _ = rows()
    for shape in ((), (2,)):
        target = TargetSpec("regression", shape=shape, channel=("x", 1))
        (found,) = persistence.build().outputs("y", target, windows, windows, 0)
        last = series_of(windows.inputs["x"])[torch.arange(N) + (STEPS - 1) * STEP, 1]
        assert torch.equal(found, last if not shape else torch.stack([last, last], 1))
    assert persistence.build().outputs("y", TargetSpec("regression"), windows, windows, 0) is None


def test_a_linear_model_reads_windows_as_rows_written_out():
    target = TargetSpec("regression")
    (one,), (other,) = (linear.build().outputs("y", target, r, r, 0) for r in rows())
    assert torch.equal(one, other)


def test_persistence_is_what_a_result_is_held_against_and_named_when_it_is_not_beaten():
    from dlrun.judging import verdict

    windows, _ = rows()
    series = series_of(windows.inputs["x"]).cumsum(0)
    walk = over(series, torch.arange(N), STEPS, STEP, STEP)
    given = Rows({"x": walk}, {"y": series[torch.arange(N) + 20, 1]})
    known = spec("train", ("x", 1))
    metrics = {"mae": mae.build(known), "normalised_mae": normalised_mae.build(known)}
    chosen = {name: {} for name in ("mean", "median", "persistence")}
    train, scored = pick(given, np.arange(40)), pick(given, np.arange(40, N))
    found = judge(known, metrics, chosen, train, scored, 0, {"mae": 99.0, "normalised_mae": 99.0})
    assert found["mae"]["kind"] == "last value seen"
    error = float((walk.newest()[40:, 1] - given.targets["y"][40:]).abs().mean())
    assert found["mae"]["value"] == pytest.approx(error)
    deviation = series[: 39 + STEPS * STEP + 1, 1].double().std(correction=0).item()
    assert found["normalised_mae"]["value"] == pytest.approx(error / deviation, rel=1e-5)
    assert verdict(found).endswith("no better than the last value seen")


def test_inputs_are_not_copied_for_a_baseline_that_has_nothing_to_say(monkeypatch):
    asked = []
    monkeypatch.setattr("dlrun.judging.pick", lambda r, i, inputs: asked.append(inputs) or pick(r, i, inputs))
    from dlrun.contracts import Split

    for channel in (None, ("x", 1)):
        known = spec(channel=channel)
        split = [Split(0, 0, np.arange(40), np.arange(40, N))]
        judge(known, {"mae": mae.build(known)}, {"mean": {}, "persistence": {}}, rows()[0], split, 0, {})
    assert asked == [False, False, True, True]


@pytest.mark.parametrize("shape", [(), (2,)])
def test_an_error_in_deviations_is_that_of_standardised_numbers(shape):
    known = DataSpec({"x": InputSpec((3,))}, {"y": TargetSpec("regression", shape=shape, standardize="train")})
    metric = normalised_mae.build(known)
    predicted, true = torch.randn(2, 9, *shape, dtype=torch.float64)
    deviation = torch.rand(shape, dtype=torch.float64) + 0.5
    mask = torch.tensor([1.0] * 6 + [0.0] * 3, dtype=torch.float64)
    state = metric.update({"y": predicted, "y_deviation": deviation}, {"y": true}, mask)
    plain = mae.build(known).update({"y": predicted / deviation}, {"y": true / deviation}, mask)
    torch.testing.assert_close(state, plain)
    assert metric.compute(state) == mae.build(known).compute(plain)


def test_what_is_not_standardised_has_no_error_in_deviations(project, capsys):
    from dlrun.cli import main

    with pytest.raises(ConfigError, match="expected a standardised target"):
        normalised_mae.build(spec("no", ("x", 1)))
    words = ["dataset=jena_climate", "dataset.source=sample", "architecture.output_activation=tanh"]
    assert main(["train", *words]) == 2
    assert "metrics.normalised_mae: needs a linear last layer" in " ".join(capsys.readouterr().err.split())


def test_a_series_gets_its_metrics_without_asking():
    assert list(auto.build(spec("train", ("x", 1)))) == ["mae", "normalised_mae", "forecast"]
    assert list(auto.build(spec("no", ("x", 1)))) == ["mae", "forecast"]
    assert list(auto.build(spec("train"))) == ["mae"]


@pytest.mark.parametrize(("numbers", "count"), [(1, 3000), (1, 50), (4, 3000)])
def test_forecasts_are_drawn_beside_what_came(numbers, count, tmp_path):
    from matplotlib.image import imread

    shape = (numbers,) if numbers > 1 else ()
    known = DataSpec({"x": InputSpec((3,))}, {"y": TargetSpec("regression", shape=shape, unit="$°C$")})
    metric = forecast.build(known)
    outputs, targets = ({"y": torch.randn(count, *shape)} for _ in range(2))
    table = metric.keep(outputs, targets).numpy()
    assert table.shape == (count, 2 * numbers) == (count, len(metric.columns))
    assert np.array_equal(table[:, numbers:].reshape(targets["y"].shape), targets["y"])
    metric.draw(table, tmp_path / ".aside.1", "some_task · val")
    panels = (2 if count > 2000 else 1) * (2 if numbers > 1 else 1)
    assert imread(tmp_path / ".aside.1", format="png").shape[0] > 250 * panels
