"""Windows of a series through whole runs: stacked, compiled, drawn with replacement, evaluated, predicted from."""

from __future__ import annotations

import csv
import json

import pytest
from _comparing import FOLDS, assert_compiled_is_eager, assert_stacked_is_sequential, train
from _running import only_run

from dlrun.cli import main

WEATHER = ["dataset=jena_climate", "dataset.lookback=24", "loss=mae", "trainer.batch_size=64", "trainer.steps_per_epoch=6",
           "dataset.whole_batches=64"]  # fmt: skip
GIVEN = ["evaluation.validation=given"]


@pytest.mark.parametrize(
    "words",
    [
        [*GIVEN, "trainer.replacement=true"],
        FOLDS,
        [*GIVEN, "architecture=recurrent", "architecture.units=[3]", "architecture.dropout=0.3"],
        [*GIVEN, "dataset.horizon=3", "dataset.recent=true"],
    ],
    ids=["drawn", "folds", "recurrent", "horizon"],
)
def test_a_compiled_update_is_the_eager_one(project, traced, words):
    assert_compiled_is_eager([*WEATHER, *words], traced)


def test_a_stack_is_its_models_alone(project):
    assert_stacked_is_sequential(*WEATHER, *FOLDS)


def test_a_run_from_training_to_a_new_forecast(project, capsys):
    words = ["dataset=jena_climate_2024", "dataset.lookback=24", "loss=mae", *GIVEN, "evaluation.test=true"]
    assert train(*words, "acknowledge=[last_layer]") == 0
    run = only_run()
    summary = json.loads(run.summary.read_text())
    assert summary["warnings"] == {}
    assert summary["baseline"]["mae"]["kind"] == "last value seen"
    ratio = summary["baseline"]["mae"]["value"] / summary["baseline"]["normalised_mae"]["value"]
    both = summary["metrics"]["test"]
    assert both["mae"] / both["normalised_mae"] == pytest.approx(ratio, rel=1e-4)
    with (run.artifacts / "forecast-test.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == summary["rows"]["test"] > 0
    assert (run.artifacts / "forecast-test.png").stat().st_size > 10_000
    errors = [abs(float(line["forecast"]) - float(line["true"])) for line in lines]
    assert sum(errors) / len(errors) == pytest.approx(both["mae"], rel=1e-4)
    named = "run=runs/" + "/".join(run.path.parts[-2:])
    assert main(["predict", named, "rows=test", "n=3"]) == 0
    assert "temperature (°C)" in capsys.readouterr().out
    assert main(["evaluate", named]) == 0
