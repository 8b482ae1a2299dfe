"""Whole runs on several targets and with weights: what they log, show, predict and refuse."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from _people import LISTING, WEIGHED, WORDS
from _running import only_run

from dlrun.cli import main

TERMS = ["age_loss", "income_loss", "gender_loss"]
METRICS = ["age_mae", "income_accuracy", "gender_accuracy"]
HEAD = ["stage", "repeat", "fold", "epoch", "split"]


def train(*words: str) -> int:
    return main(["train", "-q", *WORDS, "trainer.compile=never", *words])


def test_each_term_is_logged_without_its_factor_and_the_loss_is_their_sum(people, capsys):
    assert train(*LISTING, "evaluation.test=true", "trainer.plots=true") == 0
    rows = only_run().read_rows()
    assert len(rows) == 4
    for row in rows:
        assert list(row) == [*HEAD, "loss", *TERMS, *METRICS]
        expected = 0.25 * row["age_loss"] + row["income_loss"] + 10 * row["gender_loss"]
        assert row["loss"] == pytest.approx(expected, rel=1e-5)
    summary = json.loads(only_run().summary.read_text())
    for part in ("val", "test"):
        assert list(summary["metrics"][part]) == ["loss", *TERMS, *METRICS]
    assert list(summary["baseline"]) == METRICS
    assert sorted(f.stem for f in only_run().plots.iterdir()) == sorted(["loss", *TERMS, *METRICS])
    assert main(["evaluate", "run=people_dense", "--plugins", "own"]) == 0
    assert "gender_loss" in capsys.readouterr().out


def test_the_sum_with_penalties(people):
    assert train("architecture.l2=0.1") == 0
    row = only_run().read_rows()[0]
    assert list(row) == [*HEAD, "loss", "penalty", *TERMS, *METRICS]
    assert row["loss"] == pytest.approx(sum(row[name] for name in TERMS), rel=1e-5)


def test_one_of_several_targets_alone(people, capsys):
    assert train("loss.target=gender", "metrics.auto.target=gender") == 0
    assert list(only_run().read_rows()[0]) == [*HEAD, "loss", "accuracy"]
    assert main(["predict", "run=people_dense", "rows=train", "n=2", "--plugins", "own"]) == 0
    header = (only_run().artifacts / "predictions.csv").read_text().splitlines()[0]
    assert header == "input,prediction,p(female),true"


def test_metrics_of_one_target_keep_their_name_beside_those_of_all(people):
    assert train("metrics=[auto,accuracy,confusion_matrix]", "metrics.accuracy.target=income",
                 "metrics.confusion_matrix.target=income") == 0  # fmt: skip
    row = only_run().read_rows()[-1]
    assert list(row) == [*HEAD, "loss", *TERMS, *METRICS, "accuracy"]
    assert row["accuracy"] == row["income_accuracy"]
    assert (only_run().artifacts / "confusion_matrix-fit-r0f0-val.png").exists()


def test_predictions_have_columns_for_each_target(people, capsys):
    assert train(*LISTING) == 0
    assert main(["predict", "run=people_dense", "rows=test", "n=3", "--plugins", "own"]) == 0
    shown = capsys.readouterr().out
    assert "age (years)" in shown
    assert "probability" in shown
    table = list(csv.DictReader((only_run().artifacts / "predictions.csv").read_text().splitlines()))
    assert list(table[0]) == ["input", "age (years)", "true age", "income", "income p(low)", "income p(middle)",
                              "income p(high)", "true income", "gender", "gender p(female)", "true gender"]  # fmt: skip
    for row in table:
        chances = {name: float(row[f"income p({name})"]) for name in ("low", "middle", "high")}
        assert row["income"] == max(chances, key=chances.get)
        assert row["gender"] == ("female" if float(row["gender p(female)"]) > 0.5 else "male")
    assert main(["predict", "run=people_dense", "input=1;2;3;4;5;6;7;8", "--plugins", "own"]) == 0
    assert "true" not in (only_run().artifacts / "predictions.csv").read_text()


def test_show_says_what_is_minimised(people, capsys):
    assert main(["show", *WORDS, *WEIGHED]) == 0
    shown = capsys.readouterr().out
    expected = "0.25 * mse on age + categorical_crossentropy on income + 10 * binary_crossentropy on gender"
    assert f"loss: {expected}" in shown
    assert "train sample weight" in shown


def test_validation_is_not_weighed(people):
    """After an epoch at a rate of nearly 0 all models are alike, and so are their losses on the same rows."""
    for runs_dir, words in (("plain", LISTING), ("weighed", WEIGHED)):
        assert train(*words, "optimizer.lr=1e-12", "trainer.epochs=1", f"runs_dir={runs_dir}") == 0
    (plain, plain_val), (weighed, weighed_val) = only_run("plain").read_rows(), only_run("weighed").read_rows()
    assert [plain_val[name] for name in TERMS] == pytest.approx([weighed_val[name] for name in TERMS], rel=1e-5)
    assert plain["gender_loss"] != pytest.approx(weighed["gender_loss"], rel=1e-2)
    assert plain["gender_accuracy"] == weighed["gender_accuracy"]


def test_several_runs_beside_each_other(people, capsys):
    assert train(*LISTING) == 0
    assert train(*LISTING, "seed=1") == 0
    assert main(["compare", "people_dense", "all=true", "metric=income_accuracy,gender_loss", "--plugins", "own"]) == 0
    assert "gender_loss" in capsys.readouterr().out
    assert main(["runs", "sort=val.age_loss", "columns=run,val.age_loss"]) == 0
    values = [float(line.split("\t")[-1]) for line in capsys.readouterr().out.splitlines()[1:]]
    assert values == sorted(values)


def test_weights_of_classes_by_index_are_keys_of_a_config_like_others(people, capsys):
    for weight in (2, 3):
        assert train("loss.target=income", f"loss.class_weight={{0: 1, 1: {weight}, 2: 1}}") == 0
    assert main(["evaluate", "run=people_dense", "--plugins", "own"]) == 0
    assert main(["compare", "people_dense", "all=true", "--plugins", "own"]) == 0
    assert "loss.class_weight.1" in capsys.readouterr().out
    assert main(["runs", "where=loss.class_weight.1=3"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_stratified_splits_look_at_the_first_target_of_classes(people):
    assert train("evaluation=kfold", "evaluation.n_splits=2", "evaluation.stratify=true") == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["callbacks.checkpoint.monitor=val_age_los"], "Did you mean 'val_age_loss'?"),
        (["metrics=[accuracy]"], "the data have 3 targets, so one must be named"),
        (
            ["loss=per_output", "loss.losses={income: binary_crossentropy}"],
            "loss.losses.income: binary_crossentropy needs a",
        ),
        (["loss=per_output", "loss.weights={age: -1}"], "loss.weights.age: expected greater than or equal to 0"),
        (["loss=per_output", "loss.class_weight={gender: {male: -1, female: 1}}"], "loss.class_weight.gender.male"),
        (["loss.target=gender", "loss.class_weight=even"], "loss.class_weight: expected 'balanced'"),
        (["loss=per_output", "loss.weights.age=2"], "loss.weights is null: set 'loss.weights={age: …}'"),
        (["loss=mse"], "loss.target: the data have 3 targets, so one must be named"),
    ],
)
def test_what_is_wrong_is_said_before_data_are_read(words, told, people, capsys):
    assert train(*words) == 2
    shown = capsys.readouterr().err
    assert told in shown
    assert "Traceback" not in shown
    assert not Path("runs").exists()


def test_a_target_whose_name_would_be_mistaken_for_validation(people, capsys):
    file = people / "own/datasets/people.py"
    file.write_text(file.read_text().replace('"age"', '"val_age"'))
    assert train() == 2
    assert "may not begin with val_" in capsys.readouterr().err


def test_a_model_without_one_of_the_outputs(people, capsys):
    (people / "own/architectures").mkdir()
    (people / "own/architectures/half.py").write_text(
        "from dataclasses import replace\nfrom dlrun.architectures import dense\n\n\n"
        "def build(spec):\n    return dense.build(replace(spec, targets={'age': spec.targets['age']}), units=[2])\n"
    )
    (people / "own/configs/architecture").mkdir()
    (people / "own/configs/architecture/half.yaml").write_text("# Half.\nname: half\n")
    words = [word for word in WORDS if "units" not in word]
    assert main(["train", "-q", *words, "architecture=half"]) == 2
    shown = capsys.readouterr().err
    assert "loss.target: the model has no output 'income'" in shown
    assert "metrics.gender_accuracy: the model has no output 'gender'" in shown
    assert main(["train", "-q", *words, "architecture=half", "loss.target=age", "metrics.auto.target=age"]) == 0
