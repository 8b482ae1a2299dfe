"""Names in errors: the nearest known one, and groups in the singular."""

from __future__ import annotations

import pytest

from dlrun import registry
from dlrun.errors import ConfigError, nearest

KEYS = {"schedule", "schedule.name", "schedule.every_epoch", "trainer", "trainer.epochs", "trainer.eval_batch_size",
        "trainer.batch_size", "optimizer.lr", "evaluation", "evaluation.validation", "architecture.name"}  # fmt: skip


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("trainer.epoch", "trainer.epochs"), ("Trainer.EPOCHS", "trainer.epochs"), ("epochs", "trainer.epochs"),
        ("trainer.batchsize", "trainer.batch_size"), ("batch_size", "trainer.batch_size"),
        ("evaluation.val", "evaluation.validation"), ("sched", "schedule"), ("trainer.lr", "optimizer.lr"), ("schedule.nam", "schedule.name"),
    ],
)  # fmt: skip
def test_the_nearest_is_offered_whatever_its_case(word, found):
    assert nearest(word, KEYS) == f"Did you mean '{found}'?"


@pytest.mark.parametrize("word", ["schedule.gamma", "evaluation.k", "schedule.x", "model", "x", ""])
def test_what_is_far_off_is_not_offered(word):
    assert nearest(word, KEYS) == ""
    assert nearest("schedule.every", ["schedule.name", "schedule"]) == ""


def test_case_alone_is_no_difference():
    assert nearest("RMSPROP", ["Adam", "RMSprop"]) == "Did you mean 'RMSprop'?"


@pytest.mark.parametrize(
    ("group", "one"),
    [("guards", "guard"), ("baselines", "baseline"), ("metrics", "metric"), ("callbacks", "callback"),
     ("loss", "loss"), ("dataset", "dataset")],
)  # fmt: skip
def test_an_unknown_name_is_told_in_the_singular(group, one):
    with pytest.raises(ConfigError, match=f"no {one} is called 'x'"):
        registry.load(group, "x")
