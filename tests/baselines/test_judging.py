from __future__ import annotations

import json

import numpy as np
import pytest
import torch
import yaml

from dlrun import registry
from dlrun.compose import CONFIGS
from dlrun.contracts import DataSpec, InputSpec, Rows, Split, TargetSpec
from dlrun.judging import FITTING, USUAL, judge, verdict
from dlrun.metrics import accuracy, mae, mse, roc_auc

REGRESSION = DataSpec({"x": InputSpec((1,))}, {"y": TargetSpec("regression")})
BINARY = DataSpec({"x": InputSpec((1,))}, {"y": TargetSpec("binary", classes=2)})
DEFAULT = {name: {} for name in ("chance", "majority", "permutation", "mean", "median")}


def rows(targets: list[float], inputs: list[float] | None = None) -> Rows:
    x = inputs or [0.0] * len(targets)
    return Rows({"x": torch.tensor(x)[:, None]}, {"y": torch.tensor(targets, dtype=torch.float32)})


def classes(targets: np.ndarray, spec_classes: int) -> tuple[DataSpec, Rows]:
    spec = DataSpec({"x": InputSpec((1,))}, {"y": TargetSpec("multiclass", classes=spec_classes)})
    return spec, Rows({}, {"y": torch.from_numpy(targets)})


def test_numbers_are_judged_by_mean_and_median():
    metrics = {"mae": mae.build(REGRESSION), "mse": mse.build(REGRESSION)}
    found = judge(REGRESSION, metrics, DEFAULT, rows([1, 2, 9]), rows([2, 3, 4]), 0, {"mae": 0.5, "mse": 1.7})
    assert {name: score["mean"] for name, score in found["mae"]["all"].items()} == pytest.approx(
        {"mean": 1, "median": 1}
    )
    assert {name: score["mean"] for name, score in found["mse"]["all"].items()} == pytest.approx(
        {"mean": 5 / 3, "median": 5 / 3}
    )
    assert (found["mae"]["beaten"], found["mse"]["beaten"]) == (True, False)
    assert found["mae"]["unbeaten"] == []
    assert verdict(found) == "beats every baseline in mae, but not mean (mse 1.7 against 1.667)"


def test_the_strongest_is_shown_by_its_kind():
    metrics = {"mae": mae.build(REGRESSION)}
    found = judge(REGRESSION, metrics, DEFAULT, rows([0, 0, 9]), rows([0, 0, 1]), 0, {"mae": 0.1})
    assert (found["mae"]["kind"], found["mae"]["value"]) == ("median", pytest.approx(1 / 3))
    assert found["mae"]["all"]["mean"]["mean"] == pytest.approx((3 + 3 + 2) / 3)
    assert verdict(found) == "beats every baseline"


def test_a_random_baseline_counts_as_stronger_only_beyond_its_spread():
    targets = [0.0, 1.0] * 20
    found = judge(
        BINARY, {"accuracy": accuracy.build(BINARY)}, DEFAULT, rows([*targets, 1]), rows(targets), 0, {"accuracy": 0.9}
    )
    assert (found["accuracy"]["kind"], found["accuracy"]["value"]) == ("most frequent class", 0.5)
    assert found["accuracy"]["all"]["chance"]["n"] == found["accuracy"]["all"]["permutation"]["n"] == 10
    wrong = judge(
        BINARY, {"accuracy": accuracy.build(BINARY)}, DEFAULT, rows([0, 0, 1]), rows([1] * 40), 0, {"accuracy": 0.9}
    )
    assert wrong["accuracy"]["all"]["majority"]["mean"] == 0
    assert (wrong["accuracy"]["kind"], wrong["accuracy"]["value"]) == ("shuffled labels", 1)


def test_a_result_that_chance_reached_beats_nothing():
    targets = [0.0, 1.0] * 20
    metrics = {"accuracy": accuracy.build(BINARY)}
    chance = judge(BINARY, metrics, {"chance": {}}, rows(targets), rows(targets), 0, {})["accuracy"]["all"]["chance"]
    edge = chance["best"]
    assert edge > chance["mean"]
    assert chance["std"] > 0
    for result, beaten in ((edge, False), (edge + 1e-6, True), (float("nan"), False)):
        found = judge(BINARY, metrics, {"chance": {}}, rows(targets), rows(targets), 0, {"accuracy": result})
        assert found["accuracy"]["beaten"] == beaten
        assert found["accuracy"]["all"]["chance"] == chance


def test_the_verdict_names_what_was_not_beaten():
    targets = [0.0] * 52 + [1.0] * 48
    metrics = {"accuracy": accuracy.build(BINARY)}
    found = judge(BINARY, metrics, {"majority": {}}, rows(targets), rows(targets), 0, {"accuracy": 0.51})
    assert verdict(found) == "does not beat majority (accuracy 0.51 against 0.52): no sign that the input was used"
    x = [t + 0.1 * i / 100 for i, t in enumerate(targets)]
    both = {"majority": {}, "logistic": {}}
    found = judge(BINARY, metrics, both, rows(targets, x), rows(targets, x), 0, {"accuracy": 0.9})
    assert found["accuracy"]["unbeaten"] == ["logistic"]
    assert (found["accuracy"]["kind"], found["accuracy"]["value"]) == ("most frequent class", pytest.approx(0.52))
    assert (
        verdict(found)
        == "does not beat logistic (accuracy 0.9 against 1): no better than a model without hidden layers"
    )
    found = judge(BINARY, metrics, both, rows(targets, x), rows(targets, x), 0, {"accuracy": 0.5})
    assert found["accuracy"]["unbeaten"] == ["logistic", "majority"]
    assert verdict(found) == "does not beat majority (accuracy 0.5 against 0.52): no sign that the input was used"
    assert verdict({}) == ""


def test_splits_are_judged_each_by_its_own_rows():
    data = rows([0, 0, 0, 6, 6, 9])
    splits = [
        Split(0, 0, np.array([3, 4, 5]), np.array([0, 1, 2])),
        Split(0, 1, np.array([0, 1, 2]), np.array([3, 4, 5])),
    ]
    metrics = {"mae": mae.build(REGRESSION)}
    found = judge(REGRESSION, metrics, {"mean": {}}, data, splits, 0, {"mae": 1.0})
    assert found["mae"]["value"] == pytest.approx((7 + 7) / 2)
    found = judge(REGRESSION, metrics, {"median": {}}, data, splits, 0, {"mae": 1.0})
    assert found["mae"]["value"] == pytest.approx((6 + 7) / 2)
    everything = Split(0, 0, np.arange(6), np.arange(0))
    assert judge(REGRESSION, metrics, {"mean": {}}, data, [everything], 0, {}) == {}


def test_learning_baselines_never_see_the_validation_rows():
    """Other labels of those rows leave the predictions as they were."""
    y = torch.from_numpy(np.random.default_rng(0).integers(0, 2, 60)).float()
    data = Rows({"x": torch.rand(60, 1)}, {"y": y})
    order = np.arange(60)
    split = Split(0, 0, order[30:], order[:30])
    metrics = {"accuracy": accuracy.build(BINARY)}
    found = judge(BINARY, metrics, {"logistic": {}}, data, [split], 0, {"accuracy": 0.5})
    flipped = Rows(data.inputs, {"y": torch.cat([1 - y[:30], y[30:]])})
    other = judge(BINARY, metrics, {"logistic": {}}, flipped, [split], 0, {"accuracy": 0.5})
    first, second = (f["accuracy"]["all"]["logistic"]["mean"] for f in (found, other))
    assert first + second == pytest.approx(1)  # the same predictions against opposite labels


def test_metrics_over_all_rows_at_once_are_judged_too():
    targets = [0.0, 1.0, 1.0, 0.0, 1.0]
    metrics = {"roc_auc": roc_auc.build(BINARY)}
    found = judge(BINARY, metrics, DEFAULT, rows(targets), rows(targets * 20), 0, {"roc_auc": 0.9})
    assert found["roc_auc"]["all"]["majority"]["mean"] == 0.5
    assert found["roc_auc"]["all"]["chance"]["mean"] == pytest.approx(0.5, abs=0.1)
    assert found["roc_auc"]["beaten"]


def test_a_metric_that_is_defined_for_no_baseline_is_left_out():
    metrics = {"roc_auc": roc_auc.build(BINARY), "accuracy": accuracy.build(BINARY)}
    found = judge(
        BINARY, metrics, DEFAULT, rows([0, 1]), rows([1, 1, 1]), 0, {"roc_auc": float("nan"), "accuracy": 1.0}
    )
    assert list(found) == ["accuracy"]
    assert judge(BINARY, metrics, {"mean": {}}, rows([0, 1]), rows([1, 0]), 0, {}) == {}


def test_what_is_found_is_plain_json():
    found = judge(
        BINARY, {"accuracy": accuracy.build(BINARY)}, DEFAULT, rows([0, 1]), rows([1, 0]), 0, {"accuracy": 1.0}
    )
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_the_random_baseline_of_the_newswires_is_the_book_s(mirror):
    """0.18655 in the book, one draw (3.5.4); our test set is Keras's: shuffled with seed 113, the last fifth."""
    with np.load(mirror / "reuters" / "reuters.npz", allow_pickle=True) as arrays:
        labels = arrays["y"].astype(np.int64)
    order = np.arange(len(labels))
    np.random.RandomState(113).shuffle(order)
    labels = labels[order]
    test = labels[8982:]
    assert len(test) == 2246
    spec, train = classes(labels[:8982], 46)
    _, scored = classes(test, 46)
    found = judge(spec, {"accuracy": accuracy.build(spec)}, DEFAULT, train, scored, 0, {"accuracy": 0.797})["accuracy"]
    permuted = found["all"]["permutation"]
    assert permuted["mean"] == pytest.approx(((np.bincount(test) / 2246) ** 2).sum(), abs=0.006)
    assert abs(permuted["mean"] - 0.18655) < 3 * permuted["std"] < 0.03
    assert found["all"]["chance"]["mean"] == pytest.approx(1 / 46, abs=0.004)
    assert found["all"]["majority"]["mean"] == (test == np.bincount(labels[:8982]).argmax()).mean()
    assert found["beaten"]


def test_a_perfect_result_beats_chance_on_few_rows():
    spec = DataSpec({"x": InputSpec((1,))}, {"y": TargetSpec("binary", classes=2)})
    few = rows([0.0, 1.0] * 6)
    metrics = {"accuracy": accuracy.build(spec)}
    found = judge(spec, metrics, {"chance": {}, "permutation": {}}, few, few, 3, {"accuracy": 1.0})
    for score in found["accuracy"]["all"].values():
        assert score["best"] < 1.0
    assert found["accuracy"]["beaten"]
    assert verdict(found) == "beats every baseline"


def test_a_result_between_mean_and_best_of_chance_does_not_clearly_beat_it():
    targets = [0.0, 1.0] * 20
    metrics = {"accuracy": accuracy.build(BINARY)}

    def said(result: float) -> str:
        return verdict(judge(BINARY, metrics, {"chance": {}}, rows(targets), rows(targets), 0, {"accuracy": result}))

    score = judge(BINARY, metrics, {"chance": {}}, rows(targets), rows(targets), 0, {})["accuracy"]["all"]["chance"]
    spread = f"{score['mean']:.4g} ± {score['std']:.2g}, best of 10: {score['best']:.4g}"
    why = "no sign that the input was used"
    assert said(score["best"]) == f"does not clearly beat chance (accuracy {score['best']:.4g} against {spread}): {why}"
    assert said(0.1) == f"does not beat chance (accuracy 0.1 against {spread}): {why}"


def test_the_verdict_names_a_baseline_once_for_all_metrics():
    metrics = {"mae": mae.build(REGRESSION), "mse": mse.build(REGRESSION)}
    found = judge(REGRESSION, metrics, {"mean": {}}, rows([1, 2, 9]), rows([2, 3, 4]), 0, {"mae": 1.5, "mse": 1.7})
    assert verdict(found) == (
        "does not beat mean (mae 1.5 against 1, mse 1.7 against 1.667): no sign that the input was used"
    )


NUMBERS = "nothing about a regression target; what fits: mean, median, linear"
CLASSES = "nothing about a binary target; what fits: chance, majority, permutation, logistic"


@pytest.mark.parametrize(
    ("spec", "chosen", "said"),
    [
        (REGRESSION, ["logistic", "mean"], [f"baseline logistic says {NUMBERS}"]),
        (REGRESSION, ["majority", "logistic"], [f"baselines majority and logistic say {NUMBERS}"]),
        (REGRESSION, [*DEFAULT, "linear"], []),
        (REGRESSION, ["chance"], [f"baseline chance says {NUMBERS}"]),
        (BINARY, ["linear"], [f"baseline linear says {CLASSES}"]),
        (BINARY, [*DEFAULT, "logistic"], []),
        (BINARY, [], []),
    ],
)
def test_a_chosen_baseline_that_fits_no_target_is_named(caplog, spec, chosen, said):
    metrics = {"it": mae.build(spec) if spec is REGRESSION else accuracy.build(spec)}
    with caplog.at_level("WARNING", "dlrun"):
        judge(spec, metrics, {n: {} for n in chosen}, rows([0, 1, 1], [1, 2, 3]), rows([0, 1], [1, 2]), 0, {"it": 0.5})
    assert [r.getMessage() for r in caplog.records] == said


@pytest.mark.parametrize(("spec", "problem"), [(REGRESSION, "regression"), (BINARY, "binary")])
def test_what_is_said_to_fit_does(spec, problem):
    metrics = {"it": mae.build(spec) if spec is REGRESSION else accuracy.build(spec)}
    chosen = {name: {} for name in registry.names("baselines")}
    found = judge(spec, metrics, chosen, rows([0, 1, 1], [1, 2, 3]), rows([0, 1], [1, 2]), 0, {"it": 0.5})
    assert set(found["it"]["all"]) == set(FITTING.get(problem, "mean, median, linear").split(", "))


def test_the_usual_baselines_are_the_default_ones():
    base = yaml.safe_load((CONFIGS / "config.yaml").read_text(encoding="utf-8"))["defaults"]
    assert next(part["baselines"] for part in base if "baselines" in part) == list(USUAL)
