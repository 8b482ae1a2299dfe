"""A run whose update is one graph ends where one of operation after operation does."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import kill_and_resume
import pytest
from _comparing import ALONE, BOSTON, FOLDS, POINTS, WORDS, assert_compiled_is_eager, assert_same, train
from _own import COMPILED
from _running import Crash, at_batch, crash, only_run

from dlrun.registry import load, names

OPTIMIZERS = {
    "sgd": ["optimizer.lr=1e-4"],
    "sgd with momentum": ["optimizer.lr=1e-4", "optimizer.momentum=0.9"],
    "sgd with nesterov": ["optimizer.lr=1e-4", "optimizer.momentum=0.9", "optimizer.nesterov=true"],
    "rmsprop": [],
    "rmsprop with momentum": ["optimizer.momentum=0.3", "optimizer.rho=0.7"],
    "rmsprop with centered": ["optimizer.centered=true", "optimizer.epsilon=0.1"],
    "adam": ["optimizer.beta_1=0.5", "optimizer.epsilon=0.1"],
    "adamw": ["optimizer.weight_decay=0.5", "optimizer.lr=0.1"],
    "adagrad": ["optimizer.lr=0.1"],
}
SCHEMES = {
    "a shorter last batch": [*BOSTON, *ALONE, "dataset.normalize=train"],
    "whole batches": [*BOSTON, "evaluation.validation=44"],
    "one batch an epoch": [*BOSTON, *ALONE, "trainer.batch_size=1000"],
    "uneven folds": [*BOSTON, *FOLDS, "dataset.normalize=train"],
    "folds in two groups": [*BOSTON, *FOLDS, "trainer.batch_size=269"],
    "even folds": [*BOSTON, "evaluation=kfold", "evaluation.n_splits=4", "trainer.batch_size=101"],
    "the same rows for all": [*BOSTON, *ALONE, "evaluation.order=positional", "evaluation.n_repeats=3"],
    "repeated holdout": [*BOSTON, *ALONE, "evaluation.order=shuffled", "evaluation.n_repeats=2"],
    "one fold after another": [*BOSTON, *FOLDS, "evaluation.stack=never"],
    "dropout and penalties": [*BOSTON, *ALONE, "architecture.units=[5,3]", "architecture.dropout=0.4",
                              "architecture.l1=0.001", "architecture.l2=0.01"],
    "dropout and penalties in a stack": [*BOSTON, *FOLDS, "architecture.units=[5,3]", "architecture.dropout=[0.4,0.0]",
                                         "architecture.l1=0.001", "architecture.l2=[0.01,0.0]"],
    "clipping": [*BOSTON, *ALONE, "step.clipnorm=50", "step.clipvalue=5"],
    "clipping in a stack": [*BOSTON, *FOLDS, "step.clipnorm=50", "step.clipvalue=5", "optimizer=sgd"],
    "cosine": [*BOSTON, *ALONE, "schedule=cosine", "schedule.warmup_steps=5"],
    "cosine in a stack": [*BOSTON, *FOLDS, "schedule=cosine"],
    "step": [*BOSTON, *ALONE, "schedule=step", "schedule.step_size=1", "schedule.gamma=0.3"],
    "warmup": [*BOSTON, *ALONE, "schedule=warmup", "schedule.steps=11"],
    "reduce_on_plateau": [*BOSTON, *ALONE, "schedule=reduce_on_plateau", "schedule.patience=1", "optimizer.lr=0.5",
                          "trainer.epochs=8"],
    "metrics over all rows": [*POINTS, *ALONE],
    "metrics over all rows in a stack": [*POINTS, *FOLDS],
    "several passes": [*POINTS, *ALONE, "trainer.steps_per_epoch=17"],
    "several passes in a stack": [*BOSTON, *FOLDS, "trainer.steps_per_epoch=15"],
    "part of a pass": [*BOSTON, *FOLDS, "trainer.steps_per_epoch=4"],
    "refit and test": [*BOSTON, *FOLDS, "evaluation.refit=best", "evaluation.test=true"],
    "no validation": [*BOSTON, "evaluation.validation=0", "evaluation.test=true"],
    "many classes": ["dataset=clock", "dataset.features=angles", "dataset.n=300", "metrics=[accuracy,top_k_accuracy]",
                     *FOLDS, "trainer.batch_size=64"],
    "pictures of whole numbers": ["dataset=mnist", "metrics=[accuracy,confusion_matrix]", *ALONE,
                                  "trainer.steps_per_epoch=5"],
    "words": [*WORDS, *ALONE],
    "words in a stack": [*WORDS, *FOLDS],
    "the same words for all": [*WORDS, *ALONE, "evaluation.order=positional", "evaluation.n_repeats=3"],
}  # fmt: skip


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer(optimizer, project, traced):
    words = [f"optimizer={optimizer.split()[0]}", *OPTIMIZERS[optimizer]]
    assert_compiled_is_eager([*BOSTON, *FOLDS, *words], traced)
    assert len(traced) == 1


def test_every_optimizer_with_a_rule_is_tried():
    with_rule = {name for name in names("optimizer") if load("optimizer", name)().rule}
    assert {name.split()[0] for name in OPTIMIZERS} == with_rule


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme(scheme, project, traced):
    assert_compiled_is_eager(SCHEMES[scheme], traced)


@pytest.mark.parametrize("words", [ALONE, FOLDS], ids=["alone", "in a stack"])
def test_batches_of_more_words_than_usual_are_not_the_graphs(words, project, traced, monkeypatch):
    """About half of all batches then."""
    monkeypatch.setattr("dlrun.program.ROOM_DEVIATIONS", 0)
    assert_compiled_is_eager([*WORDS, *words], traced)


def test_room_for_words_does_not_depend_on_the_seed(project, traced):
    """Or every seed of a sweep would be compiled anew. Each holds out other rows."""
    for seed in range(3):
        assert train(*WORDS, *ALONE, "trainer.compile=always", f"seed={seed}") == 0
    forms = {str([n.meta["val"].shape for n in graph.graph.find_nodes(op="placeholder")]) for graph in traced}
    assert len(traced) == 3
    assert len(forms) == 1


def test_early_stopping_in_a_stack(project, traced):
    """Folds end at different epochs; those that are done are trained along and not looked at."""
    words = [*BOSTON, *FOLDS, "callbacks=[checkpoint,early_stopping]", "callbacks.early_stopping.patience=1",
             "dataset.normalize=train", "optimizer.lr=0.3", "trainer.epochs=12", "architecture.dropout=0.2"]  # fmt: skip
    assert_compiled_is_eager(words, traced)
    rows = [row for row in only_run("compiled").read_rows() if row["split"] == "val"]
    ends = [max(row["epoch"] for row in rows if row["fold"] == fold) for fold in range(3)]
    assert len(set(ends)) > 1, ends
    assert max(ends) < 12


@pytest.mark.parametrize("words", [ALONE, FOLDS], ids=["alone", "in a stack"])
@pytest.mark.parametrize("net", COMPILED)
def test_nets_of_a_users_own(net, words, own, traced):
    """160 rows, or 133, 133 and 134. Weights that no output depends on have no gradient, and do not even decay."""
    assert_compiled_is_eager([*own(net), *words, "optimizer=adamw"], traced)


def test_shared_weights(own, traced):
    assert_compiled_is_eager([*own("tied"), *ALONE], traced)


@pytest.mark.parametrize(
    ("words", "graphs"), [(FOLDS, 2), (ALONE, 1), ([*ALONE, "trainer.batch_size=999"], 1)],
    ids=["in a stack", "alone", "no whole batch"],
)  # fmt: skip
def test_rows_of_normalised_batches_are_not_padded(words, graphs, own, traced):
    """Every output depends on all rows of its batch. A shorter last one is no graph's, and folds of 133, 133 and 134
    rows are no stack of three."""
    assert_compiled_is_eager([*own("convolutional"), "trainer.batch_size=30", *words], traced)
    assert len(traced) == graphs
    if words == FOLDS:
        assert "splits train as one: stack of 2 + stack of 1" in only_run("compiled").log.read_text()


@pytest.mark.parametrize("words", [ALONE, FOLDS], ids=["alone", "in a stack"])
def test_recurrent_net_of_torch_alone(words, own, traced):
    """torch's own recurrent layers have no form for stacks, so folds train one after another."""
    assert_compiled_is_eager([*own("lstm"), *words], traced)


@pytest.mark.parametrize("words", [ALONE, FOLDS], ids=["alone", "in a stack"])
def test_a_net_that_draws_from_torch_is_not_compiled(words, own, traced):
    """It runs all the same and says why not; an error of `always` would come after hours of other models."""
    assert train(*own("torch_dropout"), *words, "trainer.compile=always") == 0
    assert not traced
    log = only_run().log.read_text()
    assert log.count("updates are not compiled") == 1
    assert "a layer draws random numbers by" in log
    assert train(*own("torch_dropout"), *words, "trainer.compile=never", "runs_dir=eager") == 0
    assert kill_and_resume.differences(kill_and_resume.results(Path("runs")),
                                       kill_and_resume.results(Path("eager"))) == []  # fmt: skip


LOSS = '''
    """Crossentropy with a weight for each class."""
    from __future__ import annotations

    import torch

    from dlrun.contracts import DataSpec


    class Weighted:
        name = "weighted"

        def __init__(self, key, weights):
            self.key, self.weights = key, torch.tensor(weights)

        def __call__(self, outputs, targets):
            logs = outputs[f"{self.key}_logits"].log_softmax(-1)
            return torch.nn.functional.nll_loss(logs, targets[self.key], self.weights.to(logs), reduction="none")


    def build(spec: DataSpec, *, weights: list[float]) -> Weighted:
        return Weighted(next(iter(spec.targets)), weights)
'''


@pytest.mark.parametrize("words", [ALONE, FOLDS], ids=["alone", "in a stack"])
def test_a_loss_with_tensors_of_its_own(words, own, write, traced):
    """Compiled or not, which is told, it is the same loss."""
    write("losses/weighted.py", LOSS)
    write("configs/loss/weighted.yaml", "# Weighted.\nname: weighted\nweights: [1.0, 2.0, 0.5]\n")
    words = [*own("unnormalised"), *words, "loss=weighted", "trainer.precision=float64"]
    for mode in ("always", "never"):
        assert train(*words, f"trainer.compile={mode}", f"runs_dir={mode}") == 0
    assert only_run("always").log.read_text().count("updates are not compiled") == (not traced)
    assert_same("always", "never")


STEP = '''
    """Learns from each batch twice."""
    from __future__ import annotations

    from dlrun.steps.supervised import Supervised


    class Twice(Supervised):
        def update(self, batch):
            super().update(batch)
            return super().update(batch)


    def build(ensemble, optimizer) -> Twice:
        return Twice(ensemble, optimizer)
'''


def test_a_step_of_a_users_own_is_taken(own, write, traced):
    """`Program` knows the update of `supervised` only."""
    write("steps/twice.py", STEP)
    write("configs/step/twice.yaml", "# Twice.\nname: twice\n")
    words = [*own("unnormalised"), *ALONE, "step=twice", "trainer.precision=float64"]
    assert train(*words, "trainer.compile=never", "runs_dir=eager") == 0
    assert train(*words, "trainer.compile=always") == 0
    assert_same("runs", "eager")


def test_a_run_that_diverges_says_the_same(project, traced, capsys):
    words = [*BOSTON, *ALONE, "optimizer=sgd", "optimizer.lr=1e9"]
    told = []
    for mode in ("always", "never"):
        assert train(*words, f"trainer.compile={mode}", f"runs_dir={mode}") == 4
        told.append([line for line in capsys.readouterr().err.splitlines() if line.startswith("error")])
    assert len(traced) == 1
    assert told[0] == told[1] != []


DIARY = '''
    """Notes what it hears."""
    from __future__ import annotations

    import json
    from pathlib import Path

    from dlrun.contracts import Callback


    class Diary(Callback):
        every_update = EVERY

        def on_batch_end(self, fit):
            weight = float(sum(t.double().abs().sum() for t in fit.step.ensemble.member(0).values()))
            rate = fit.step.optimizer.param_groups[0]["lr"]
            with Path(FILE).open("a") as stream:
                stream.write(json.dumps([fit.epoch, fit.batch, rate, weight]) + "\\n")


    def build() -> Diary:
        return Diary()
'''


def heard(folder: str) -> list[list[float]]:
    return [json.loads(line) for line in Path(folder).read_text().splitlines()]


@pytest.mark.parametrize("words", [ALONE, FOLDS], ids=["alone", "in a stack"])
def test_callbacks_hear_of_each_update(words, write, traced, monkeypatch):
    """With the rate and the weights of the moment, whatever time an update takes."""
    monkeypatch.setattr("dlrun.compiled.PORTION_SECONDS", 1e9)
    for mode in ("always", "never"):
        write("callbacks/diary.py", DIARY.replace("EVERY", "True").replace("FILE", repr(mode)))
        write("configs/callbacks/diary.yaml", "# Notes.\ndiary: {}\n")
        monkeypatch.delitem(__import__("sys").modules, "dlrun_plugins.callbacks.diary", raising=False)
        assert train(*BOSTON, *words, "schedule=cosine", "callbacks=[checkpoint,diary]", "--plugins", "own",
                     f"trainer.compile={mode}", f"runs_dir=runs-{mode}", "trainer.precision=float64") == 0  # fmt: skip
    assert len(traced) == 1
    compiled, eager = heard("always"), heard("never")
    updates = 8 if words == ALONE else 6
    assert [row[:2] for row in compiled] == [[e, b] for e in (1, 2) for b in range(1, updates + 1)]
    assert len(compiled) == len(eager)
    for row, expected in zip(compiled, eager, strict=True):
        assert row == pytest.approx(expected, rel=1e-10)


def test_content_callbacks_hear_less_often(write, traced, monkeypatch):
    """Portions grow fourfold at most, and end with the epoch."""
    monkeypatch.setattr("dlrun.compiled.PORTION_SECONDS", 1e9)
    write("callbacks/diary.py", DIARY.replace("EVERY", "False").replace("FILE", repr("diary")))
    write("configs/callbacks/diary.yaml", "# Notes.\ndiary: {}\n")
    words = [*BOSTON, *ALONE, "callbacks=[checkpoint,diary]", "--plugins", "own", "trainer.epochs=3"]
    assert train(*words, "trainer.compile=always") == 0
    assert [row[:2] for row in heard("diary")] == [[1, 1], [1, 5], [1, 8], [2, 8], [3, 8]]


def test_portions_change_no_result(project, traced, monkeypatch):
    words = [*POINTS, *FOLDS, "schedule=cosine", "architecture.dropout=0.3", "trainer.compile=always"]
    for runs_dir, seconds in (("short", 0.0), ("long", 1e9)):
        monkeypatch.setattr("dlrun.compiled.PORTION_SECONDS", seconds)
        assert train(*words, f"runs_dir={runs_dir}") == 0
    assert len(traced) == 2
    assert kill_and_resume.differences(kill_and_resume.results(Path("short")),
                                       kill_and_resume.results(Path("long"))) == []  # fmt: skip


RESUMED = {
    "dropout in a stack": [*BOSTON, *FOLDS, "architecture.dropout=0.5", "optimizer=adam"],
    "metrics over all rows in a stack": [*POINTS, *FOLDS, "schedule=cosine"],
    "metrics over all rows": [*POINTS, *ALONE, "optimizer=sgd", "optimizer.momentum=0.9"],
}


@pytest.mark.parametrize("stop", ["crash", "SIGTERM"])
@pytest.mark.parametrize("scheme", RESUMED)
def test_stopped_and_resumed_equals_unbroken(scheme, stop, project, traced, monkeypatch):
    """Bit for bit: after a crash from the last epoch, after a signal from the last update."""
    monkeypatch.setattr("dlrun.compiled.PORTION_SECONDS", 0.0)
    words = [*RESUMED[scheme], "trainer.compile=always", "trainer.epochs=3"]
    assert train(*words, "runs_dir=unbroken") == 0
    with monkeypatch.context() as patch:
        if stop == "crash":
            at_batch(patch, 11, crash)
            with pytest.raises(Crash):
                train(*words)
        else:
            at_batch(patch, 11, lambda: os.kill(os.getpid(), signal.SIGTERM))
            assert train(*words) == 75
    assert train(*words) == 0
    assert "resuming" in only_run().log.read_text()
    assert len(traced) == 3
    assert kill_and_resume.differences(kill_and_resume.results(Path("runs")),
                                       kill_and_resume.results(Path("unbroken"))) == []  # fmt: skip
