"""Several targets and weights of rows: stacked as alone, compiled as eager, resumed as unbroken."""

from __future__ import annotations

from pathlib import Path

import kill_and_resume
import pytest
from _comparing import SMALL, assert_compiled_is_eager, assert_same, assert_stacked_is_sequential, train
from _people import LISTING, WEIGHED, WORDS
from _running import Crash, at_batch, crash, only_run
from test_stack import FLOAT64

from dlrun.cli import main
from dlrun.run_folder import RunFolder

ALONE = ["evaluation.validation=0.2"]
FOLDS = ["evaluation=kfold", "evaluation.n_splits=3"]
LOSSES = {
    "sum": [],
    "weighted sum": LISTING,
    "weighted rows": WEIGHED,
    "balanced": ["loss.target=income", "loss.class_weight=balanced"],
}
SCHEMES = {
    "alone": ALONE,
    "in a stack": FOLDS,
    "the same rows for all": [*ALONE, "evaluation.order=positional", "evaluation.n_repeats=3"],
}


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("loss", LOSSES)
def test_compiled_is_eager(loss, scheme, people, traced):
    assert_compiled_is_eager([*WORDS, *LOSSES[loss], *SCHEMES[scheme]], traced)


@pytest.mark.parametrize("loss", LOSSES)
def test_stacked_is_sequential(loss, people):
    """Each fold counts its own classes."""
    assert_stacked_is_sequential(*WORDS, *LOSSES[loss], *FOLDS, "architecture.l2=0.01", "trainer.compile=never")


def test_refit_early_stopping_and_schedule_follow_a_term(people, traced):
    words = [*WORDS, *WEIGHED, "schedule=reduce_on_plateau", "schedule.monitor=val_age_loss", "schedule.patience=1",
             "callbacks=[checkpoint,early_stopping]", "callbacks.early_stopping.monitor=val_gender_loss",
             "callbacks.checkpoint.monitor=val_income_loss"]  # fmt: skip
    assert_compiled_is_eager([*words, *ALONE], traced)
    words = [
        *WORDS,
        *LISTING,
        "callbacks.checkpoint.monitor=val_age_loss",
        "evaluation.refit=best",
        "evaluation.test=true",
    ]
    assert_stacked_is_sequential(*words, *FOLDS)
    assert "by val_age_loss" in only_run("stacked").log.read_text()


def test_jobs_of_a_sweep_train_as_one(people):
    words = [*SMALL, *WORDS, *WEIGHED, FLOAT64, "optimizer.lr=0.001,0.01", "trainer.compile=never"]
    for launcher, runs_dir in ((["hydra/launcher=stacked"], "together"), ([], "apart")):
        assert main(["train", "-m", *launcher, *words, f"runs_dir={runs_dir}"]) == 0
    runs = [
        {f.parent.name: RunFolder(f.parent) for f in Path(d).glob("*/*/config.yaml")} for d in ("together", "apart")
    ]
    assert len(runs[0]) == 2
    assert runs[0].keys() == runs[1].keys()
    for signature, run in runs[0].items():
        assert "2 runs" in run.log.read_text()
        for one, other in zip(run.read_rows(), runs[1][signature].read_rows(), strict=True):
            assert one.items() >= {("split", other.pop("split")), ("stage", other.pop("stage"))}
            assert {name: one[name] for name in other} == pytest.approx(other, rel=1e-9)


@pytest.mark.parametrize("scheme", ["alone", "in a stack"])
def test_crashed_and_resumed_equals_unbroken(scheme, people, monkeypatch):
    words = [*WORDS, *WEIGHED, *SCHEMES[scheme], "trainer.epochs=3", "trainer.compile=never"]
    assert train(*words, "runs_dir=unbroken") == 0
    with monkeypatch.context() as patch:
        at_batch(patch, 8, crash)
        with pytest.raises(Crash):
            train(*words)
    assert train(*words) == 0
    assert "resuming" in only_run().log.read_text()
    assert kill_and_resume.differences(kill_and_resume.results(Path("runs")),
                                       kill_and_resume.results(Path("unbroken"))) == []  # fmt: skip


def test_weights_of_one_are_no_weights(people):
    for runs_dir, more in (("runs", []), ("ones", ["loss.class_weight={income: {0: 1, 1: 1, 2: 1}}"])):
        assert train(*WORDS, *LISTING, *more, FLOAT64, "trainer.compile=never", f"runs_dir={runs_dir}") == 0
    assert_same("runs", "ones")
