from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import torch

import dlrun.losses
from dlrun.contracts import DataSpec, InputSpec, TargetSpec
from dlrun.errors import ConfigError
from dlrun.losses._table import TABLE, check

NAMES = sorted(f.stem for f in Path(dlrun.losses.__path__[0]).glob("[!_]*.py"))
B, C = 7, 4
TARGETS = {
    "binary": TargetSpec("binary", 2),
    "multiclass": TargetSpec("multiclass", C),
    "multilabel": TargetSpec("multilabel", C),
    "regression": TargetSpec("regression"),
    "vector": TargetSpec("regression", shape=(3,)),
    "bounded": TargetSpec("bounded_regression", shape=(2, 3)),
}
FITS = {
    "auto": list(TARGETS),
    "binary_crossentropy": ["binary", "multilabel", "bounded"],
    "categorical_crossentropy": ["multiclass"],
    "sparse_categorical_crossentropy": ["multiclass"],
    "mae": list(TARGETS),
    "mse": list(TARGETS),
    "per_output": [],  # test_several_targets.py
}
ALL = [(name, kind) for name in NAMES for kind in FITS.get(name, [])]


def spec(kind: str) -> DataSpec:
    return DataSpec({"x": InputSpec((3,))}, {"y": TARGETS[kind]})


def build(name: str, kind: str):
    return importlib.import_module(f"dlrun.losses.{name}").build(spec(kind))


def draw(kind: str, rows: int = B) -> tuple[dict, dict]:
    """Outputs as the head gives them, and targets as `contracts.Rows` stores them."""
    target = TARGETS[kind]
    shape = (rows, C) if kind in ("multiclass", "multilabel") else (rows, *target.shape)
    logits = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    if kind == "multiclass":
        return {"y": logits.softmax(-1), "y_logits": logits}, {"y": torch.randint(C, (rows,))}
    if kind in ("regression", "vector"):
        return {"y": logits, "y_logits": logits}, {"y": torch.randn(shape)}
    targets = torch.rand(shape) if kind == "bounded" else torch.randint(2, shape).float()
    return {"y": logits.sigmoid(), "y_logits": logits}, {"y": targets}


def test_every_loss_has_a_case():
    assert sorted(FITS) == NAMES


@pytest.mark.parametrize(("name", "kind"), ALL)
def test_one_value_per_row_with_a_gradient(name, kind):
    loss = build(name, kind)
    outputs, targets = draw(kind)
    values = loss(outputs, targets)
    assert loss.key == "y"
    assert values.shape == (B,)
    assert (values >= 0).all()
    values.sum().backward()
    assert outputs["y_logits"].grad.isfinite().all()
    one = {name: x[2:3] for name, x in outputs.items()}, {"y": targets["y"][2:3]}
    torch.testing.assert_close(loss(*one), values[2:3])  # a row does not see its neighbours


@pytest.mark.parametrize(("name", "kind"), ALL)
def test_stack_equals_alone(name, kind):
    loss = build(name, kind)
    draws = [draw(kind) for _ in range(3)]
    outputs = {key: torch.stack([o[key].detach() for o, _ in draws]) for key in ("y", "y_logits")}
    targets = {"y": torch.stack([t["y"] for _, t in draws])}
    alone = torch.stack([loss(*d) for d in draws])
    torch.testing.assert_close(torch.vmap(loss)(outputs, targets), alone, rtol=1e-12, atol=1e-12)


def test_keras_formulas_on_probabilities():
    outputs, targets = draw("binary")
    p, y = outputs["y"], targets["y"].double()
    by_hand = -(y * p.log() + (1 - y) * (1 - p).log())
    torch.testing.assert_close(build("binary_crossentropy", "binary")(outputs, targets), by_hand)

    outputs, targets = draw("multilabel")
    p, y = outputs["y"], targets["y"].double()
    by_hand = -(y * p.log() + (1 - y) * (1 - p).log()).mean(1)
    torch.testing.assert_close(build("binary_crossentropy", "multilabel")(outputs, targets), by_hand)

    outputs, targets = draw("multiclass")
    p, y = outputs["y"], torch.eye(C, dtype=torch.float64)[targets["y"]]
    for name in ("categorical_crossentropy", "sparse_categorical_crossentropy"):
        by_index = build(name, "multiclass")(outputs, targets)
        torch.testing.assert_close(by_index, -(y * p.log()).sum(1))
    torch.testing.assert_close(build("mse", "multiclass")(outputs, targets), (p - y).square().mean(1))

    outputs, targets = draw("bounded")
    p, y = outputs["y"], targets["y"].double()
    torch.testing.assert_close(build("mse", "bounded")(outputs, targets), (p - y).square().mean((1, 2)))
    torch.testing.assert_close(build("mae", "bounded")(outputs, targets), (p - y).abs().mean((1, 2)))


def test_one_hot_targets_mean_the_same_as_indices():
    outputs, targets = draw("multiclass")
    one_hot = {"y": torch.eye(C)[targets["y"]]}
    for name in ("categorical_crossentropy", "mse", "mae"):
        loss = build(name, "multiclass")
        torch.testing.assert_close(loss(outputs, one_hot), loss(outputs, targets))


def test_a_sure_and_wrong_answer_stays_finite():
    logits = torch.tensor([200.0, -200.0])
    values = build("binary_crossentropy", "binary")({"y_logits": logits}, {"y": torch.tensor([0.0, 1.0])})
    assert values.tolist() == [200.0, 200.0]


@pytest.mark.parametrize("kind", list(TARGETS))
def test_auto_is_table_4_1(kind):
    wanted = TABLE[TARGETS[kind].problem][0]
    draws = draw(kind)
    torch.testing.assert_close(build("auto", kind)(*draws), build(wanted, kind)(*draws))


def test_target_must_be_known_and_is_needed_where_there_are_two():
    two = DataSpec({"x": InputSpec((3,))}, {"age": TARGETS["regression"], "sex": TARGETS["binary"]})
    module = importlib.import_module("dlrun.losses.binary_crossentropy")
    assert module.build(two, target="sex").key == "sex"
    with pytest.raises(ConfigError, match="2 targets, so one must be named") as caught:
        module.build(two)
    assert caught.value.problems[0].hint == "available: age, sex"
    with pytest.raises(ConfigError, match="no target 'sx'") as caught:
        module.build(two, target="sx")
    assert caught.value.problems[0].hint == "Did you mean 'sex'? available: age, sex"


@pytest.mark.parametrize(
    ("kind", "loss", "last"),
    [
        ("binary", "binary_crossentropy", "sigmoid"),
        ("binary", "auto", "sigmoid"),
        ("multiclass", "categorical_crossentropy", "softmax"),
        ("multiclass", "sparse_categorical_crossentropy", "softmax"),
        ("multilabel", "binary_crossentropy", "sigmoid"),
        ("regression", "mse", "linear"),
        ("bounded", "mse", "sigmoid"),
        ("bounded", "binary_crossentropy", "sigmoid"),
        ("binary", "a_plugin", "sigmoid"),
    ],
)
def test_check_is_silent_on_the_table(kind, loss, last):
    assert check(spec(kind), loss, "y", {"y": last}) == ([], [])


@pytest.mark.parametrize(
    ("kind", "loss", "last"),
    [
        ("binary", "mse", "sigmoid"),  # imdb_dense_mse
        ("multiclass", "mse", "softmax"),  # mnist_dense_api
        ("regression", "mse", "sigmoid"),  # can only learn 0..1
        ("regression", "auto", "relu"),
        ("regression", "mae", "linear"),
        ("bounded", "mse", "linear"),
    ],
)
def test_check_warns_of_the_unusual(kind, loss, last):
    problems, warnings = check(spec(kind), loss, "y", {"y": last})
    assert not problems
    assert len(warnings) == 1
    assert "table 4-1" in warnings[0]


@pytest.mark.parametrize(
    ("kind", "loss", "last", "path", "words"),
    [
        ("multiclass", "binary_crossentropy", "softmax", "loss.name", "multiclass with 4 unit"),
        ("binary", "categorical_crossentropy", "sigmoid", "loss.name", "binary with 1 unit"),
        ("regression", "binary_crossentropy", "linear", "loss.name", "'y' is regression"),
        (
            "multiclass",
            "categorical_crossentropy",
            "sigmoid",
            "architecture.output_activation",
            "needs softmax",
        ),
        ("binary", "binary_crossentropy", "linear", "architecture.output_activation", "the model has linear"),
        ("multilabel", "auto", "softmax", "architecture.output_activation", "needs sigmoid"),
        ("regression", "mse", "softmax", "architecture.output_activation", "is always 1"),
    ],
)
def test_check_refuses_the_impossible(kind, loss, last, path, words):
    problems, warnings = check(spec(kind), loss, "y", {"y": last})
    assert not warnings
    assert [p.path for p in problems] == [path]
    assert words in problems[0].message
    assert "table 4-1" in problems[0].hint


def test_check_needs_the_output_that_the_loss_reads():
    problems, _ = check(spec("binary"), "auto", "y", {"z": "sigmoid"})
    assert problems[0].message == "the model has no output 'y'"
    assert problems[0].hint == "its outputs: z"
