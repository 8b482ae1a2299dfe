"""All guards together, and those that look at models and runs."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

from dlrun import registry
from dlrun.callbacks import early_stopping
from dlrun.config import Section
from dlrun.contracts import Split
from dlrun.guarding import findings

GUARDS = registry.names("guards")


def test_a_well_made_run_is_left_alone(reviews, changed, project):
    assert findings(changed(reviews, guards={name: {} for name in GUARDS})) == {}


def test_what_is_acknowledged_is_not_said(reviews, changed):
    chosen = {"guards": {"patience": {}, "time_order": {}}, "callbacks": {"early_stopping": {}}, "epochs": 2}
    assert list(findings(changed(reviews, **chosen))) == ["patience"]
    assert findings(changed(reviews, acknowledge=["patience"], **chosen)) == {}


# narrow_layer


@pytest.mark.parametrize(
    ("units", "found"),
    [([64, 4], "dense_2 (dense) gives 4"), ([2, 4], "dense_1 (dense) (and 1 more"), ([10], None), ([], None)],
)
def test_a_bottleneck_before_ten_classes(check, digits, changed, units, found):
    said = check("narrow_layer", changed(digits, units=units))
    assert [found in sentence and "10 classes" in sentence for sentence in said] == ([True] if found else [])


def test_two_classes_need_no_width(check, reviews, changed):
    assert check("narrow_layer", changed(reviews, units=[1])) == []


# last_layer


def test_a_loss_beside_table_4_1(check, one, reviews, changed):
    assert "table 4-1" in one("last_layer", changed(reviews, loss=Section("mse", {})))
    assert check("last_layer", reviews) == []


# patience


@pytest.mark.parametrize(("epochs", "patience", "speaks"), [(10, 9, True), (10, 8, False), (5, 20, True), (1, 1, True)])
def test_patience_that_outlasts_training(check, reviews, changed, epochs, patience, speaks):
    callbacks = {"checkpoint": {}, "early_stopping": {"patience": patience}}
    said = check("patience", changed(reviews, epochs=epochs, callbacks=callbacks))
    assert len(said) == speaks
    assert not said or "early_stopping" in said[0]


def test_the_default_patience_counts_too(one, reviews, changed):
    context = changed(reviews, epochs=3, callbacks={"early_stopping": {}})
    assert "early_stopping waits 3 epoch(s) and training has 3" in one("patience", context)


@pytest.mark.parametrize("patience", [1, 4])
def test_the_earliest_stop_is_where_the_guard_takes_it_to_be(patience):
    """After epoch 1 + patience, where no epoch is better than the first."""
    callback = early_stopping.build(patience=patience, restore_best=False)
    frozen: list[int] = []
    fit = SimpleNamespace(
        size=1, val=True, logs=[{"val_loss": 1.0}], active_members=lambda: [0], higher_is_better=lambda name: False
    )
    fit.freeze = lambda k, weights: frozen.append(fit.epoch)
    for fit.epoch in range(1, 10):
        callback.on_epoch_end(fit)
    assert frozen[0] == 1 + patience


def test_callbacks_without_patience_are_left_alone(check, reviews, changed):
    assert check("patience", changed(reviews, epochs=1)) == []


@pytest.mark.parametrize(
    ("schedule", "updates"),
    [
        (("warmup", {"epochs": 3}), 30), (("warmup", {"epochs": 2}), 0), (("warmup", {"steps": 30}), 30),
        (("warmup", {"steps": 29, "epochs": 9}), 0), (("cosine", {"warmup_steps": 70}), 70),
        (("cosine", {"warmup_epochs": 3}), 30), (("cosine", {}), 0), (("constant", {}), 0), (("step", {}), 0),
    ],
)  # fmt: skip
def test_a_warm_up_that_outlasts_training(check, reviews, changed, schedule, updates):
    context = changed(reviews, schedule=Section(*schedule))
    trainer = replace(context.config.trainer, epochs=3, steps_per_epoch=10)
    context = replace(context, config=replace(context.config, trainer=trainer))
    said = check("patience", context)
    assert [f"takes {updates} updates and the run has 30" in sentence for sentence in said] == [True] * bool(updates)


def test_updates_are_counted_from_rows_and_batches(check, one, reviews, changed):
    rows, trainer = len(reviews.splits[0].train), reviews.config.trainer
    updates = -(-rows // trainer.batch_size) * trainer.epochs
    context = changed(reviews, schedule=Section("warmup", {"steps": updates}))
    assert f"and the run has {updates:,}:" in one("patience", context)
    assert check("patience", changed(reviews, schedule=Section("warmup", {"steps": updates - 1}))) == []


# selections


@pytest.fixture
def tried(reviews, project):
    """A context, and a function that leaves finished runs of other widths behind."""
    context = reviews

    def leave(count: int, first: int = 100, **change: object) -> None:
        for i in range(first, first + count):
            plain = context.config.to_dict() | change
            plain["architecture"] = {**plain["architecture"], "units": [i]}
            folder = context.runs_dir / "any" / f"{i:08x}"
            folder.mkdir(parents=True)
            (folder / "config.yaml").write_text(yaml.safe_dump(plain))
            (folder / "summary.json").write_text("{}")

    return context, leave


def test_many_configurations_on_the_same_validation_rows(check, one, tried):
    context, leave = tried
    leave(19)
    assert check("selections", context) == []
    leave(1, 200)
    sentence = one("selections", context)
    assert sentence.startswith("20 other configurations were scored on these 1,000 validation rows")
    assert "1.9 standard errors" in sentence  # the mean of the largest of 20 normal numbers is 1.867
    assert "0.9 that is 0.018" in sentence  # 1.87 * sqrt(0.9 * 0.1 / 1000)
    assert check("selections", context, most=21) == []


def test_seeds_unfinished_runs_and_other_rows_are_no_selection(check, tried):
    context, leave = tried
    leave(15)
    leave(10, 200, evaluation={**context.config.to_dict()["evaluation"], "validation": 50})
    for i in range(10):
        folder = context.runs_dir / "any" / f"seed{i}"
        folder.mkdir()
        plain = {**context.config.to_dict(), "seed": i}
        (folder / "config.yaml").write_text(yaml.safe_dump(plain))
        if i % 2:
            (folder / "summary.json").write_text("{}")
    assert check("selections", context) == []


def test_a_folder_of_something_else_is_passed_over(one, tried):
    context, leave = tried
    leave(20)
    for i, text in enumerate(["[", "a: 1", "", "dataset: 3\nevaluation: {}\n"]):
        folder = context.runs_dir / "odd" / str(i)
        folder.mkdir(parents=True)
        (folder / "config.yaml").write_text(text)
        (folder / "summary.json").write_text("{}")
    assert one("selections", context).startswith("20 other")


def test_without_validation_nothing_is_selected(check, tried):
    context, leave = tried
    leave(25)
    everything = Split(0, 0, np.arange(2500), np.arange(0))
    assert check("selections", replace(context, splits=[everything])) == []
