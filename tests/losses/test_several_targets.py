"""Losses of several targets, and weights of classes: what they are made of, and what they refuse."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from dlrun.contracts import DataSpec, InputSpec, SumOfLosses, TargetSpec
from dlrun.errors import ConfigError
from dlrun.losses import auto, binary_crossentropy, categorical_crossentropy, mae, mse, per_output

TARGETS = {
    "age": TargetSpec("regression"),
    "income": TargetSpec("multiclass", 3, labels=("low", "middle", "high")),
    "gender": TargetSpec("binary", 2),
    "hobbies": TargetSpec("multilabel", 4),
}
SPEC = DataSpec({"x": InputSpec((3,))}, TARGETS)
B = 6


def only(name: str, **more: Any) -> DataSpec:
    return DataSpec({"x": InputSpec((3,))}, {name: TARGETS[name]})


def draw() -> tuple[dict, dict]:
    generator = torch.Generator().manual_seed(0)
    logits = {n: torch.randn(B, *((t.units,) if t.units > 1 else ()), generator=generator) for n, t in TARGETS.items()}
    outputs = {**logits, **{f"{n}_logits": x for n, x in logits.items()}}
    targets = {
        "age": torch.rand(B, generator=generator),
        "income": torch.arange(B) % 3,
        "gender": torch.arange(B) % 2.0,
        "hobbies": torch.ones(B, 4),
    }
    return outputs, targets


def problems(build: Any, spec: DataSpec = SPEC, **arguments: Any) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        build(spec, **arguments)
    return {p.path: f"{p.message} {p.hint}" for p in caught.value.problems}


def test_auto_of_several_targets_is_the_sum_of_the_tables_losses():
    loss = auto.build(SPEC)
    assert isinstance(loss, SumOfLosses)
    names = ["mse", "categorical_crossentropy", "binary_crossentropy", "binary_crossentropy"]
    assert [term.name for term in loss.terms.values()] == names
    alone = [auto.build(SPEC, target=target) for target in TARGETS]
    assert not any(isinstance(one, SumOfLosses) for one in alone)
    torch.testing.assert_close(loss(*draw()), sum(one(*draw()) for one in alone))


def test_per_output_is_the_weighted_sum_of_the_named_losses_and_the_tables():
    loss = per_output.build(SPEC, losses={"age": "mae", "income": "mse"}, weights={"age": 0.25, "gender": 10})
    parts = [0.25 * mae.build(SPEC, target="age")(*draw()), mse.build(SPEC, target="income")(*draw()),
             10 * binary_crossentropy.build(SPEC, target="gender")(*draw()),
             binary_crossentropy.build(SPEC, target="hobbies")(*draw())]  # fmt: skip
    torch.testing.assert_close(loss(*draw()), sum(parts))
    assert loss(*draw()).shape == (B,)
    assert loss.weights == {"age": 0.25, "income": 1, "gender": 10, "hobbies": 1}


def test_what_per_output_refuses_is_said_at_once_with_its_place():
    found = problems(
        per_output.build, losses={"agee": "mse", "age": "msee", "income": "per_output"}, weights={"gendr": 1},
        class_weight={"gender": {0: 1}, "hobbies": "balanced", "nobody": None},
    )  # fmt: skip
    assert found == {
        "loss.losses.agee": "no target 'agee' in the data Did you mean 'age'? available: age, gender, hobbies, income",
        "loss.weights.gendr": "no target 'gendr' in the data Did you mean 'gender'? available: age, gender, hobbies, income",
        "loss.class_weight.nobody": "no target 'nobody' in the data available: age, gender, hobbies, income",
        "loss.losses.age": found["loss.losses.age"],
        "loss.losses.income": "expected the loss of one target, received 'per_output' ",
        "loss.class_weight.gender": "expected a weight for each class of 'gender', none was given for 1 ",
        "loss.class_weight.hobbies": "expected null, because 'hobbies' is a multilabel target: its rows are not of one class each ",
    }
    assert found["loss.losses.age"].startswith("no loss is called 'msee' Did you mean 'mse'?")
    assert problems(per_output.build, losses={"gender": "mse"}, class_weight={"gender": "balanced"}) == {
        "loss.class_weight.gender": "expected null, because loss mse has no weights of classes "
    }


@pytest.mark.parametrize(
    ("given", "numbers"),
    [
        ({"low": 1, "middle": 0.5, "high": 3}, (1, 0.5, 3)),
        ({"high": 3, "low": 1, "middle": 0.5}, (1, 0.5, 3)),
        ({2: 3, 0: 1, 1: 0}, (1, 0, 3)),
        ("balanced", "balanced"),
        (None, None),
    ],
)
def test_weights_of_classes_by_label_or_index(given, numbers):
    assert categorical_crossentropy.build(only("income"), class_weight=given).class_weight == numbers
    assert auto.build(SPEC, target="income", class_weight=given).class_weight == numbers
    assert per_output.build(SPEC, class_weight={"income": given}).terms["income"].class_weight == numbers


def test_labels_that_look_like_numbers_are_labels():
    spec = DataSpec({}, {"y": TargetSpec("multiclass", 3, labels=("1", "2", "3"))})
    assert categorical_crossentropy.build(spec, class_weight={1: 5, 2: 6, 3: 7}).class_weight == (5, 6, 7)
    assert categorical_crossentropy.build(spec, class_weight={0: 5, 1: 6, 2: 7}).class_weight == (5, 6, 7)


@pytest.mark.parametrize(
    ("target", "given", "path", "told"),
    [
        ("income", {"low": 1, "midle": 1, "high": 1}, ".midle", "target 'income' has no such class Did you mean 'middle'?"),
        ("income", {0: 1, 1: 1, 2: 1, 3: 1}, ".3", "target 'income' has no such class available: 0, 1, 2"),
        ("gender", {"0": 1, "male": 1}, ".male", "target 'gender' has no such class available: 0, 1"),
        ("income", {"low": 1}, "", "expected a weight for each class of 'income', none was given for middle, high"),
        ("income", {0: 1, "low": 1}, "", "expected labels or indices of classes, received both"),
        ("age", "balanced", "", "expected null, because 'age' is a regression target"),
    ],
)  # fmt: skip
def test_what_weights_of_classes_refuse(target, given, path, told):
    ((where, said),) = problems(auto.build, only(target), class_weight=given).items()
    assert where == f"loss.class_weight{path}"
    assert said.startswith(told)


def test_auto_of_several_targets_balances_those_of_classes():
    terms = auto.build(SPEC, class_weight="balanced").terms
    assert {n: getattr(t, "class_weight", None) for n, t in terms.items()} == {
        "age": None, "income": "balanced", "gender": "balanced", "hobbies": None,
    }  # fmt: skip
    assert "loss=per_output" in problems(auto.build, class_weight={0: 1, 1: 2})["loss.class_weight"]
