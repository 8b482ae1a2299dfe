"""Nets of a user's own in stacks, and which models train as one: as many as fit, where it is not slower."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
import torch
from _comparing import ALONE, BOSTON, FOLDS, assert_same, assert_stacked_is_sequential, train
from _own import COMPILED
from _running import Crash, at_batch, crash, only_run

from dlrun import grouping, memory
from dlrun.architectures import dense
from dlrun.contracts import Batch, DataSpec, InputSpec, TargetSpec
from dlrun.losses import mse
from dlrun.objective import Objective

LARGE = 2**40
TOGETHER = re.compile(r"splits train as one: (.*)")


def together(runs_dir="runs") -> str:
    (found,) = TOGETHER.findall(only_run(runs_dir).log.read_text())
    return found


@pytest.mark.parametrize("net", COMPILED)
def test_nets_of_a_users_own(net, own, project):
    assert_stacked_is_sequential(*own(net), *FOLDS)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_normalised_convolutions_by_other_optimizers(optimizer, own, project):
    assert_stacked_is_sequential(*own("convolutional"), "evaluation=kfold", f"optimizer={optimizer}",
                                 "step.clipnorm=1", "schedule=cosine")  # fmt: skip


def test_tables_of_a_stacked_net_with_buffers(own, project):
    """They are made by the plain net from the weights that the stack kept."""
    assert_stacked_is_sequential(*own("convolutional"), *FOLDS, "metrics=[accuracy,confusion_matrix]")
    tables = [sorted((only_run(d).path / "artifacts").glob("*.csv")) for d in ("stacked", "sequential")]
    assert [t.name for t in tables[0]] == [t.name for t in tables[1]]
    assert len(tables[0]) == 3
    assert [t.read_text() for t in tables[0]] == [t.read_text() for t in tables[1]]


def test_recurrent_layers_of_torch_train_one_after_another(own, project):
    words = [*own("lstm"), *FOLDS]
    assert train(*words) == 0
    log = only_run().log.read_text()
    assert "splits train one after another: layer lstm: torch's fused recurrent layers have no vmap rule" in log
    assert train(*words, "evaluation.stack=always") == 2


@pytest.mark.parametrize("net", ["drawn", "tied"])
def test_what_a_stack_can_not_hold_is_told_or_right(net, own, project):
    """A tensor that is no buffer, which another model has of its own; a weight that two layers share."""
    words = [*own(net), *FOLDS, "trainer.precision=float64"]
    assert train(*words, "evaluation.stack=never", "runs_dir=never") == 0
    assert train(*words, "evaluation.stack=auto", "runs_dir=auto") == 0
    assert_same("auto", "never")


def test_models_with_the_same_rows(project):
    """Validation batches are shared by all; the order of training is each model's own."""
    log = assert_stacked_is_sequential(
        *BOSTON, *ALONE, "evaluation.order=positional", "evaluation.n_repeats=3", "architecture.dropout=0.3"
    )
    assert "stack of 3" in log


def test_a_stack_of_nets_that_draw_from_torch_trains(own, project):
    """Each model draws its own; nobody promises that they are those of models alone."""
    assert train(*own("torch_dropout"), *FOLDS) == 0
    assert together() == "stack of 3"


SIZES = [
    ("4", "2", "stack of 2 + stack of 2"),
    ("5", "2", "stack of 2 + stack of 1 + stack of 2"),
    ("5", "3", "stack of 2 + stack of 3"),
    ("5", "5", "stack of 5"),
    ("5", "99", "stack of 5"),
    ("4", "1", "stack of 1 + stack of 1 + stack of 1 + stack of 1"),
]


@pytest.mark.parametrize(("folds", "size", "expected"), SIZES)
def test_stack_size(folds, size, expected, project):
    """Groups of at most so many, as equal as can be. Python rounds halves to even numbers."""
    words = [*BOSTON, "evaluation=kfold", f"evaluation.n_splits={folds}", f"evaluation.stack_size={size}"]
    assert_stacked_is_sequential(*words, "architecture.dropout=0.3")
    assert together("stacked") == expected
    assert "memory is enough" not in only_run("stacked").log.read_text()


def test_stack_size_is_none_of_a_runs_results(project):
    words = [*BOSTON, "evaluation=kfold"]
    assert train(*words, "runs_dir=all") == 0
    assert train(*words, "evaluation.stack_size=3", "runs_dir=some") == 0
    assert only_run("all").path.name == only_run("some").path.name


def test_groups_shrink_with_the_memory_that_is_left(project, monkeypatch):
    """Room for two and a half models, after the share that is left to others."""
    needed = []
    measure = grouping.bytes_of
    monkeypatch.setattr(grouping, "bytes_of", lambda *given: needed.append(measure(*given)) or needed[-1])
    words = [*BOSTON, "evaluation=kfold", "architecture.dropout=0.3"]
    assert train(*words, "runs_dir=plenty") == 0
    assert together("plenty") == "stack of 4"
    monkeypatch.setattr(memory, "available", lambda: int(2.5 * needed[0] / grouping.SHARE))
    assert train(*words, "runs_dir=little") == 0
    log = only_run("little").log.read_text()
    assert "memory is enough for 2 models at once" in log
    assert together("little") == "stack of 2 + stack of 2"
    assert_same("plenty", "little", 1e-4)
    monkeypatch.setattr(memory, "available", lambda: 0)
    assert train(*words, "runs_dir=none") == 0
    assert "memory is enough for 1 models at once" in only_run("none").log.read_text()
    assert_same("plenty", "none", 1e-4)


def test_memory_and_stack_size_both_limit(project, monkeypatch):
    monkeypatch.setattr(grouping, "bytes_of", lambda *given: 100)
    words = [*BOSTON, "evaluation=kfold", "evaluation.n_splits=6"]
    for size, left, expected in (("3", 2, 2), ("2", 3, 2), ("3", 6, 3)):
        monkeypatch.setattr(memory, "available", lambda left=left: int((100 * left + 50) / grouping.SHARE))
        assert train(*words, f"evaluation.stack_size={size}", f"runs_dir=runs{size}{left}") == 0
        found = together(f"runs{size}{left}")
        assert {int(n) for n in re.findall(r"stack of (\d+)", found)} == {expected}, found
        told = "memory is enough for" in only_run(f"runs{size}{left}").log.read_text()
        assert told == (left < int(size))


def model(units: list[int], features: int) -> Objective:
    spec = DataSpec({"x": InputSpec((features,))}, {"y": TargetSpec("regression")})
    return Objective(dense.build(spec, units=units), mse.build(spec), {})


def batch(rows: int, features: int) -> Batch:
    return Batch({"x": torch.randn(rows, features)}, {"y": torch.randn(rows)}, None)


@pytest.mark.parametrize(("units", "features", "rows", "eval_rows"), [
    ([256, 256], 100, 10, 10),  # weights weigh most
    ([64, 64], 100, 2000, 2000),  # what is kept of the rows does
    ([64, 64], 13, 1, 100),  # rows of evaluation do
    ([512], 784, 128, 1024),
])  # fmt: skip
def test_bytes_of_a_dense_net_by_hand(units, features, rows, eval_rows):
    """Weights, gradients and two tensors of the optimizer; rows with every layer's output, twice in training (with
    gradients) and once in evaluation. An estimate: within a factor of 3."""
    widths = [features, *units, 1]
    weights = 4 * sum(a * b + b for a, b in pairwise(widths))
    outputs = 4 * (features + 2 * sum(units) + 1)  # before and after the activation
    by_hand = 4 * weights + 2 * rows * outputs + eval_rows * outputs
    found = grouping.bytes_of(model(units, features), batch(rows, features), eval_rows)
    assert by_hand / 3 < found < by_hand * 3, (found, by_hand)


def test_bytes_grow_with_units_and_rows():
    def needed(units: int, rows: int, eval_rows: int) -> int:
        return grouping.bytes_of(model([units], 20), batch(rows, 20), eval_rows)

    for one, more in (((16, 64, 64), (160, 64, 64)), ((16, 64, 64), (16, 640, 64)), ((16, 64, 64), (16, 64, 6400))):
        assert 2 * needed(*one) < needed(*more)


SLOWER = re.compile(
    r"splits train one after another: an update of 4 as one takes [\d.e+]+ (?:s|ms|µs), 4 of one [\d.e+]+ (?:s|ms|µs)"
)


def test_a_slower_stack_is_taken_apart(project, monkeypatch):
    """Only where it is left to us; and a small one is not judged by a form that it may not be run in."""
    monkeypatch.setattr(grouping, "CLEARLY", 1e-9)
    monkeypatch.setattr(grouping, "MOST_SAVED", (7 / 8, 10.0))  # however busy the machine, 10 s are small
    words = [*BOSTON, "evaluation=kfold"]
    assert train(*words, "runs_dir=small") == 0
    assert together("small") == "stack of 4"
    words += ["trainer.compile=never"]
    assert train(*words, "runs_dir=auto") == 0
    log = only_run("auto").log.read_text()
    assert SLOWER.search(log), log
    assert "train as one" not in log
    assert train(*words, "evaluation.stack=always", "runs_dir=always") == 0
    assert together("always") == "stack of 4"
    assert_same("auto", "always", 1e-4)


def test_timing_changes_no_result(project, monkeypatch):
    """Models, shuffles and random numbers are those of a run that nothing was timed for."""
    words = [*BOSTON, "evaluation=kfold", "architecture.dropout=0.4", "trainer.precision=float64"]
    assert train(*words, "evaluation.stack=auto", "runs_dir=timed") == 0
    assert train(*words, "evaluation.stack=always", "runs_dir=untimed") == 0
    assert together("timed") == together("untimed") == "stack of 4"
    assert_same("timed", "untimed", 0.0)


@pytest.mark.parametrize("apart_first", [True, False])
def test_the_decision_outlives_a_crash(apart_first, project, monkeypatch):
    """Whatever would be measured the second time."""
    words = [*BOSTON, "evaluation=kfold", "evaluation.n_splits=3", "trainer.epochs=3", "architecture.dropout=0.2",
             "trainer.compile=never"]  # fmt: skip
    slow, fast = 1e-9, 1e9
    monkeypatch.setattr(grouping, "CLEARLY", slow if apart_first else fast)
    assert train(*words, "runs_dir=unbroken") == 0
    with monkeypatch.context() as patch:
        at_batch(patch, 14, crash)
        with pytest.raises(Crash):
            train(*words)
    monkeypatch.setattr(grouping, "CLEARLY", fast if apart_first else slow)
    monkeypatch.setattr(memory, "available", lambda: 0)
    assert train(*words) == 0
    log = only_run().log.read_text()
    assert "resuming" in log
    assert log.count("one after another") == apart_first
    assert log.count("train as one: stack of 3") == (not apart_first)
    assert "memory is enough" not in log
    assert_same("runs", "unbroken", 0.0)


def test_one_model_is_no_stack(project):
    assert train(*BOSTON, *ALONE, "evaluation.stack=always") == 0
    assert "train as one" not in only_run().log.read_text()
