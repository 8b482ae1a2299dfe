"""Schedules: the exact rates of every update, against torch's own, in one go and resumed anywhere."""

from __future__ import annotations

import copy
import importlib
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler as theirs

import dlrun.schedules
from dlrun.contracts import Schedule
from dlrun.errors import ConfigError, RunError
from dlrun.optimizers import rmsprop

STEPS, EPOCHS, LR = 5, 12, 0.3
CASES: list[tuple[str, dict[str, Any]]] = [
    ("constant", {}),
    ("step", {"step_size": 3, "gamma": 0.5}),
    ("step", {}),
    ("step", {"milestones": [1, 4, 11]}),
    ("cosine", {}),
    ("cosine", {"final": 0.1}),
    ("cosine", {"final": 0.1, "warmup_epochs": 2}),
    ("cosine", {"warmup_steps": 7}),
    ("warmup", {}),
    ("warmup", {"start": 0.25, "epochs": 3}),
    ("warmup", {"start": 0.0, "steps": 8}),
    ("reduce_on_plateau", {"patience": 2}),
]
LOSSES = [1.0, 0.8, 0.81, 0.82, 0.79, 0.79995, 0.7899, 0.9, 0.9, 0.9, 0.5, 0.6]
"""Of the toy fit's epochs."""


def build(name: str, **arguments) -> Schedule:
    return importlib.import_module(f"dlrun.schedules.{name}").build(**arguments)


def sgd(lr: float = LR) -> torch.optim.Optimizer:
    weights = [torch.nn.Parameter(torch.zeros(2)) for _ in range(2)]
    return torch.optim.SGD([{"params": weights[:1]}, {"params": weights[1:], "lr": 10 * lr}], lr=lr)


class Toy:
    """As much of `trainer.Fit` as a schedule sees, with the trainer's order of events."""

    def __init__(self, schedule: Schedule, optimizer: torch.optim.Optimizer, losses: list[float] | None = None):
        self.schedule, self.losses = schedule, losses or LOSSES
        self.step, self.train, self.val = SimpleNamespace(optimizer=optimizer), SimpleNamespace(steps=STEPS), True
        self.epochs, self.size, self.names = len(self.losses), 1, ["fit"]
        self.done, self.epoch, self.batch = 0, 0, 0
        self.logs: list[dict[str, float]] = [{}]
        self.rates: list[list[float]] = []

    def higher_is_better(self, name: str) -> bool:
        return name == "val_accuracy"

    def run(self, updates: int = 10**9) -> Toy:
        """Up to so many updates; stops right after one, as a signal does."""
        groups = self.step.optimizer.param_groups
        self.schedule.on_fit_begin(self)
        while self.done < self.epochs:
            self.epoch = self.done + 1
            self.schedule.on_epoch_begin(self)
            while self.batch < STEPS:
                self.rates.append([group["lr"] for group in groups])
                self.step.optimizer.step()
                self.batch += 1
                self.schedule.on_batch_end(self)
                if len(self.rates) == updates:
                    return self
            loss = self.losses[self.epoch - 1]
            self.logs = [{"loss": loss, "val_loss": loss, "val_accuracy": 1 - loss}]
            self.done, self.batch = self.epoch, 0
            self.schedule.on_epoch_end(self)
        self.schedule.on_fit_end(self)
        return self

    def resumed(self, schedule: Schedule, optimizer: torch.optim.Optimizer) -> Toy:
        """Another process: new objects with what was saved."""
        other = Toy(schedule, optimizer, self.losses)
        other.done, other.batch = self.done, self.batch
        optimizer.load_state_dict(copy.deepcopy(self.step.optimizer.state_dict()))
        schedule.load_state_dict(copy.deepcopy(self.schedule.state_dict()))
        return other


def rates(name: str, losses: list[float] | None = None, **arguments) -> list[float]:
    """Of the first group, per update."""
    return [first for first, _ in Toy(build(name, **arguments), sgd(), losses).run().rates]


def per_epoch(rates: list[float]) -> list[float]:
    """One per epoch, after a look that no epoch has two."""
    epochs = [rates[i : i + STEPS] for i in range(0, len(rates), STEPS)]
    assert all(len(set(epoch)) == 1 for epoch in epochs)
    return [epoch[0] for epoch in epochs]


def by_torch(make: Any, count: int, *told: Any) -> list[float]:
    """`count` rates of one of torch's schedulers, the first before its first step."""
    optimizer = sgd()
    scheduler = make(optimizer)
    found = []
    for i in range(count):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step(*(t[i] for t in told))
    return found


def test_every_schedule_has_a_case():
    names = sorted(f.stem for f in Path(dlrun.schedules.__path__[0]).glob("[!_]*.py"))
    assert sorted({name for name, _ in CASES}) == names


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_resumed_after_any_update_it_goes_on_with_the_same_rates(name, arguments):
    """A run that is cut twice; every parameter group keeps its own base rate."""
    whole = Toy(build(name, **arguments), sgd()).run().rates
    assert len(whole) == STEPS * EPOCHS
    assert all(second == pytest.approx(10 * first, rel=1e-12) for first, second in whole)
    for cut in (1, STEPS - 1, STEPS, 3 * STEPS, 4 * STEPS + 2, STEPS * EPOCHS):
        first = Toy(build(name, **arguments), sgd()).run(cut)
        second = first.resumed(build(name, **arguments), sgd(77.0)).run(3)
        third = second.resumed(build(name, **arguments), sgd(99.0)).run()
        assert first.rates + second.rates + third.rates == whole


def test_constant():
    assert set(rates("constant")) == {LR}


@pytest.mark.parametrize(("size", "gamma"), [(1, 0.9), (3, 0.5), (EPOCHS, 0.1), (100, 0.1)])
def test_step(size, gamma):
    wanted = by_torch(lambda o: theirs.StepLR(o, size, gamma), EPOCHS)
    assert per_epoch(rates("step", step_size=size, gamma=gamma)) == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("milestones", [[1], [3, 4, 9], [11, 12, 40]])
def test_milestones(milestones):
    wanted = by_torch(lambda o: theirs.MultiStepLR(o, milestones, 0.2), EPOCHS)
    assert per_epoch(rates("step", milestones=milestones, gamma=0.2)) == pytest.approx(wanted, rel=1e-12)


def test_the_epoch_after_a_milestone_is_the_first_with_the_lower_rate():
    found = per_epoch(rates("step", milestones=[3], gamma=0.5))
    assert found[:5] == [LR, LR, LR, LR / 2, LR / 2]  # epochs 1 to 5


@pytest.mark.parametrize("final", [0.0, 0.2])
def test_cosine(final):
    total = STEPS * EPOCHS
    wanted = by_torch(lambda o: theirs.CosineAnnealingLR(o, total, final * LR), total)
    assert rates("cosine", final=final) == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize(("arguments", "warm"), [({"warmup_epochs": 2}, 10), ({"warmup_steps": 7}, 7)])
def test_cosine_after_a_warm_up(arguments, warm):
    total = STEPS * EPOCHS
    found = rates("cosine", **arguments)
    rise = by_torch(lambda o: theirs.LinearLR(o, 1 / (warm + 1), 1.0, warm), warm)
    fall = by_torch(lambda o: theirs.CosineAnnealingLR(o, total - warm), total - warm)
    assert found == pytest.approx(rise + fall, rel=1e-9)
    assert found[0] > 0
    assert found.index(max(found)) == warm
    assert max(found) == LR


@pytest.mark.parametrize(
    ("arguments", "length"),
    [({"epochs": 3, "start": 0.25}, 15), ({"steps": 8, "start": 0.5}, 8), ({"steps": 1}, 1), ({"epochs": 9}, 45)],
)
def test_warmup(arguments, length):
    start = arguments.get("start", 0.1)
    wanted = by_torch(lambda o: theirs.LinearLR(o, start, 1.0, length), STEPS * EPOCHS)
    found = rates("warmup", **arguments)
    assert found == pytest.approx(wanted, rel=1e-9)
    assert set(found[length:]) == {LR}


def test_warmup_from_0():
    assert rates("warmup", start=0.0, steps=4)[:6] == pytest.approx([0, LR / 4, LR / 2, 3 * LR / 4, LR, LR])


@pytest.mark.parametrize(("name", "arguments"), [("warmup", {"epochs": EPOCHS}), ("cosine", {"warmup_steps": 70})])
def test_a_warm_up_that_the_run_does_not_outlast_never_ends(name, arguments):
    found = rates(name, **arguments)
    assert max(found) < LR
    assert found == sorted(found)
    assert max(rates(name, **{key: value // 2 for key, value in arguments.items()})) == LR


def test_a_step_that_would_rise_is_refused_and_1_is_constant():
    from dlrun.config import parse

    _, problems = parse({"schedule": {"name": "step", "gamma": 1.5}})
    (message,) = [p.message for p in problems if p.path == "schedule.gamma"]
    assert message.startswith("expected less than or equal to 1, received 1.5")
    assert set(rates("step", step_size=1, gamma=1.0)) == {LR}


# Plateau


@pytest.mark.parametrize("patience", [1, 2, 3])
@pytest.mark.parametrize("cooldown", [0, 1, 2, 3])
@pytest.mark.parametrize("min_delta", [0.0, 1e-4, 0.05])
@pytest.mark.parametrize("monitor", ["val_loss", "val_accuracy"])
def test_plateau_is_torchs_in_keras_words(patience, cooldown, min_delta, monitor):
    """torch lowers the rate after more than `patience` epochs, and its cooldown counts the first epoch not."""
    g = torch.Generator().manual_seed(patience)
    losses = (torch.rand(40, generator=g, dtype=torch.float64) * 0.3 + torch.linspace(0.6, 0.0, 40)).tolist()
    told = losses if monitor == "val_loss" else [1 - loss for loss in losses]
    words = {"factor": 0.5, "patience": patience, "min_delta": min_delta, "cooldown": cooldown, "min_lr": 0.01}
    found = per_epoch(rates("reduce_on_plateau", losses, monitor=monitor, **words))
    wanted = by_torch(
        lambda o: theirs.ReduceLROnPlateau(
            o, "min" if monitor == "val_loss" else "max", 0.5, patience - 1, min_delta, "abs", max(cooldown - 1, 0),
            0.01, 0.0,
        ),
        40,
        told,
    )  # fmt: skip
    assert found == pytest.approx(wanted, rel=1e-12)
    assert len(set(found)) > 1


def test_plateau_by_hand():
    """Two epochs without improvement, then the next one is slower; nothing smaller than min_delta counts."""
    losses = [1.0, 0.8, 0.81, 0.82, 0.7, 0.69995, 0.6999, 0.9, 0.9, 0.9]
    found = per_epoch(rates("reduce_on_plateau", losses, patience=2, min_lr=0.001))
    assert found == pytest.approx([LR] * 4 + [LR / 10] * 3 + [LR / 100] * 2 + [0.001])


def test_plateau_needs_validation_for_a_value_of_validation():
    fit = Toy(build("reduce_on_plateau"), sgd())
    fit.val = None
    with pytest.raises(RunError, match=r"schedule\.monitor: there is no validation here"):
        fit.run()
    fit.schedule = build("reduce_on_plateau", monitor="loss")
    assert len(fit.run().rates) == STEPS * EPOCHS


def test_plateau_can_not_be_stacked():
    reasons = {name: build(name, **arguments).unstackable for name, arguments in CASES}
    assert reasons.pop("reduce_on_plateau") == "reduce_on_plateau would need a learning rate for each model"
    assert set(reasons.values()) == {None}


def test_plateau_tells_what_it_did(caplog):
    with caplog.at_level(logging.INFO, "dlrun"):
        rates("reduce_on_plateau", [1.0, 1.0, 1.0], patience=2)
    assert "epoch 3: val_loss has not improved for 2 epochs, the learning rate falls from 0.3 to 0.03" in caplog.text


# Optimizers and errors


def test_the_fused_kernel_of_rmsprop_takes_a_new_rate():
    """With rho 0 and a gradient of 1, an update is as large as its rate."""
    p = torch.nn.Parameter(torch.zeros(3, dtype=torch.float64))
    optimizer = rmsprop.build(lr=LR, rho=0.0).make([p])
    toy = Toy(build("cosine"), optimizer)
    moved, original = [], optimizer.step

    def step() -> None:
        before = p.detach().clone()
        p.grad = torch.ones_like(p)
        original()
        moved.append(float((before - p.detach())[0]))

    optimizer.step = step
    toy.run()
    assert moved == pytest.approx([rate for (rate,) in toy.rates], rel=1e-6)


@pytest.mark.parametrize("milestones", [[], [3, 3], [5, 2]])
def test_milestones_increase(milestones):
    with pytest.raises(ConfigError, match="expected epochs in increasing order, received") as caught:
        build("step", milestones=milestones)
    assert caught.value.problems[0].path == "schedule.milestones"


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("step", "step_size", 0), ("step", "gamma", 0.0), ("step", "milestones", [0, 3]), ("cosine", "final", 1.5),
        ("cosine", "warmup_epochs", -1), ("cosine", "warmup_steps", 0), ("warmup", "start", -0.1),
        ("warmup", "epochs", 0), ("warmup", "steps", -3), ("reduce_on_plateau", "patience", 0),
        ("reduce_on_plateau", "factor", 1.0), ("reduce_on_plateau", "min_delta", -1.0),
        ("reduce_on_plateau", "cooldown", -1), ("reduce_on_plateau", "min_lr", -0.1),
    ],
)  # fmt: skip
def test_sizes_are_checked_before_anything_is_built(name, key, value):
    from dlrun.config import parse

    _, problems = parse({"schedule": {"name": name, key: value}})
    assert [p for p in problems if p.path.startswith(f"schedule.{key}") and "received" in p.message]
