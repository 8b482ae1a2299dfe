"""Fit and evaluate through whole runs: what is logged, how far an epoch goes, which weights are kept."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from _running import only_run, train
from safetensors.torch import load_file

from dlrun.registry import load
from dlrun.run_folder import RunFolder
from dlrun.seeds import derive
from dlrun.steps.supervised import Supervised

HELD_OUT, ROWS = 1000, 2500  # the first rows of the sample, as the task holds out the first of the real data
STILL = ["optimizer=sgd", "optimizer.lr=1e-300", "trainer.precision=float64", "architecture.units=[4]"]
"""Updates that change nothing: every batch of an epoch is seen by the same weights."""


def values(folder: RunFolder, part: str, name: str) -> list[float]:
    """One logged value per epoch."""
    return [row[name] for row in folder.read_rows() if row["split"] == part]


def weights_of(folder: RunFolder, which: str = "last") -> dict[str, torch.Tensor]:
    """Those of the only split."""
    return load_file(folder.weights("fit", "r0f0", which))


def same(ours: dict[str, torch.Tensor], others: dict[str, torch.Tensor]) -> bool:
    """Bit for bit."""
    return ours.keys() == others.keys() and all(torch.equal(ours[k], others[k]) for k in ours)


@cache
def sample() -> tuple[torch.Tensor, torch.Tensor]:
    """All training rows as a plain 0/1 matrix [2500, 10000] and their labels [2500]."""
    rows = load("dataset", "imdb")(source="sample").load().train
    bags, labels = rows.inputs["review"], rows.targets["sentiment"].double()
    x = torch.zeros(len(labels), 10_000, dtype=torch.float64)
    for i in range(len(labels)):
        x[i, bags.values[bags.offsets[i] : bags.offsets[i + 1]].long()] = 1
    return x, labels


def by_hand(weights: dict[str, torch.Tensor], rows: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Loss and hit of each row, by the formula of a 10,000-4-1 net on one matrix."""
    x, labels = sample()[0][rows], sample()[1][rows]
    hidden = (x @ weights["dense_1.kernel"].double() + weights["dense_1.bias"].double()).relu()
    logits = hidden @ weights["output.kernel"].double() + weights["output.bias"].double()
    p = logits.flatten().sigmoid()
    loss = -(labels * p.log() + (1 - labels) * (1 - p).log())
    return loss, ((p > 0.5) == (labels > 0.5)).double()


def test_history_rows(project: Path) -> None:
    """One JSON object per epoch, split and part; what was trained comes first in a row."""
    train("evaluation=kfold", "evaluation.n_splits=2", "trainer.epochs=2", "architecture.l2=0.1",
          "evaluation.refit=1")  # fmt: skip
    rows = only_run().read_rows()
    head = ["stage", "repeat", "fold", "epoch", "split"]
    assert all(list(row) == [*head, "loss", "penalty", "accuracy"] for row in rows)
    expected = [["fit", 0, fold, e, part] for e in (1, 2) for fold in (0, 1) for part in ("train", "val")]
    assert [[row[k] for k in head] for row in rows] == [*expected, ["refit", 0, 0, 1, "train"]]
    assert all(type(row["loss"]) is float for row in rows)


@pytest.mark.parametrize("batch_size", [256, 1499, 1500, 4000])
def test_training_values_are_means_over_rows(batch_size: int, project: Path) -> None:
    """1500 rows in batches of 256 leave one of 220; each row counts the same."""
    train(*STILL, f"trainer.batch_size={batch_size}", "trainer.epochs=2")
    loss, hit = by_hand(weights_of(only_run()), slice(HELD_OUT, ROWS))
    assert values(only_run(), "train", "loss") == pytest.approx([float(loss.mean())] * 2, rel=1e-12)
    assert values(only_run(), "train", "accuracy") == [float(hit.mean())] * 2


@pytest.mark.parametrize("batch_size", [300, 1000, 5000])
def test_validation_values_are_a_pass_by_hand(batch_size: int, project: Path) -> None:
    """After real training, with dropout off and padding of a ragged tail not counted."""
    train(f"trainer.eval_batch_size={batch_size}", "trainer.precision=float64", "architecture.dropout=0.5")
    loss, hit = by_hand(weights_of(only_run()), slice(0, HELD_OUT))
    assert values(only_run(), "val", "loss")[-1] == pytest.approx(float(loss.mean()), rel=1e-12)
    assert values(only_run(), "val", "accuracy")[-1] == float(hit.mean())


def test_penalty_is_logged_apart(project: Path) -> None:
    """`loss` is without it, as the numbers of two nets with other penalties are to be compared."""
    train(*STILL, "architecture.l2=0.25", "architecture.l1=0.5", "trainer.epochs=1")
    weights = weights_of(only_run())
    kernel = weights["dense_1.kernel"]
    expected = 0.25 * float(kernel.square().sum()) + 0.5 * float(kernel.abs().sum())
    for part, rows in (("train", slice(HELD_OUT, ROWS)), ("val", slice(0, HELD_OUT))):
        assert values(only_run(), part, "penalty") == pytest.approx([expected], rel=1e-12)
        assert values(only_run(), part, "loss") == pytest.approx([float(by_hand(weights, rows)[0].mean())], rel=1e-12)


@pytest.mark.parametrize("steps", [1, 4, 6, 8, 13])
def test_steps_per_epoch(steps: int, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An epoch is that many updates: the first ones of a shuffled pass, or more than one pass, each of which
    has its own order and its own short last batch. 1500 rows make 5 batches of 256 and one of 220."""
    updates = []
    original = Supervised.update
    monkeypatch.setattr(Supervised, "update", lambda s, b: updates.append(1) or original(s, b))
    train(*STILL, f"trainer.steps_per_epoch={steps}", "trainer.epochs=2", "trainer.compile=never")
    assert len(updates) == 2 * steps
    loss, _ = by_hand(weights_of(only_run()), slice(HELD_OUT, ROWS))
    shuffle = derive(0, "fit", "shuffle", 0, 0)
    for epoch, logged in zip((1, 2), values(only_run(), "train", "loss"), strict=True):
        seen: list[int] = []
        for step in range(steps):
            generator = torch.Generator().manual_seed(derive(shuffle, "epoch", epoch, step // 6))
            order = torch.randperm(1500, generator=generator)
            seen += order[step % 6 * 256 :][:256].tolist()
        assert logged == pytest.approx(float(loss[seen].mean()), rel=1e-12)


def test_two_runs_are_equal_and_seeds_differ(project: Path) -> None:
    for runs_dir, seed in (("one", 0), ("two", 0), ("other", 1)):
        train("architecture.dropout=0.3", f"seed={seed}", f"runs_dir={runs_dir}")
    one, two, other = (only_run(d) for d in ("one", "two", "other"))
    assert one.metrics.read_bytes() == two.metrics.read_bytes()
    assert same(weights_of(one), weights_of(two))
    assert one.path.name != other.path.name
    assert not same(weights_of(one), weights_of(other))


@pytest.mark.parametrize(("monitor", "best"), [("val_loss", np.argmin), ("val_accuracy", np.argmax)])
def test_best_weights_are_those_of_the_best_epoch(monitor: str, best: Any, project: Path) -> None:
    """A run that is only so long ends with the same weights: epochs do not depend on how many follow."""
    words = ["optimizer.lr=0.05"]
    train(*words, "trainer.epochs=8", f"callbacks.checkpoint.monitor={monitor}", "runs_dir=long")
    epoch = int(best(values(only_run("long"), "val", monitor.removeprefix("val_")))) + 1
    assert 1 < epoch < 8
    train(*words, f"trainer.epochs={epoch}", "runs_dir=short")
    assert same(weights_of(only_run("long"), "best"), weights_of(only_run("short")))
    assert not same(weights_of(only_run("long")), weights_of(only_run("short")))


@pytest.mark.parametrize("restore", [True, False])
def test_early_stopping(restore: bool, project: Path) -> None:
    """Stops `patience` epochs after the best one; the last weights are then the best or the present ones."""
    stopping = ["callbacks=[checkpoint,early_stopping]", "callbacks.early_stopping.patience=2",
                f"callbacks.early_stopping.restore_best={restore}".lower()]  # fmt: skip
    train("optimizer.lr=0.02", "trainer.epochs=30", *stopping, "runs_dir=stopped")
    losses = values(only_run("stopped"), "val", "loss")
    best = int(np.argmin(losses)) + 1
    assert best > 1
    assert len(losses) == best + 2 < 30
    train("optimizer.lr=0.02", f"trainer.epochs={best if restore else best + 2}", "runs_dir=fixed")
    assert same(weights_of(only_run("stopped")), weights_of(only_run("fixed")))


def test_early_stopping_restores_at_the_last_epoch_too(project: Path) -> None:
    stopping = ["callbacks=[checkpoint,early_stopping]", "callbacks.early_stopping.patience=20"]
    train("optimizer.lr=0.05", "trainer.epochs=8", *stopping)
    assert same(weights_of(only_run(), "last"), weights_of(only_run(), "best"))


def test_min_delta(project: Path) -> None:
    """No fall of the loss is large enough: the first epoch stays the best."""
    train("trainer.epochs=9", "callbacks=[checkpoint,early_stopping]", "callbacks.early_stopping.patience=2",
          "callbacks.early_stopping.min_delta=10")  # fmt: skip
    assert len(values(only_run(), "val", "loss")) == 3


def test_no_validation(project: Path) -> None:
    """Nothing but training rows; the best epoch is then judged by the training loss."""
    train("evaluation.validation=0", "trainer.epochs=2")
    assert [row["split"] for row in only_run().read_rows()] == ["train", "train"]
    assert same(weights_of(only_run(), "best"), weights_of(only_run(), "last"))
