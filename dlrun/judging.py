"""What a model that looks at no input would score, and whether a result beats it (book 3.5.4, 4.5.5)."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from dlrun import registry
from dlrun.contracts import AnyMetric, Baseline, DataSpec, RankingMetric, Rows, Split, TargetSpec
from dlrun.picking import pick
from dlrun.seeds import derive
from dlrun.standardizing import deviation

log = logging.getLogger("dlrun")

Baselines = dict[str, dict[str, Any]]

HIDDEN = "no better than a model without hidden layers"

USUAL = ("chance", "majority", "permutation", "mean", "median", "persistence")
"""Chosen by default for whatever target: one that does not fit is left out in silence where another does."""

CLASSES = "chance, majority, permutation, logistic"
FITTING = {"binary": CLASSES, "multiclass": CLASSES, "multilabel": CLASSES}
"""By problem; numbers have mean, median and linear."""


def judge(
    spec: DataSpec,
    metrics: Mapping[str, AnyMetric],
    chosen: Mapping[str, Mapping[str, Any]],
    train: Rows,
    scored: Rows | Sequence[Split],
    seed: int,
    result: Mapping[str, float],
    deviations: Mapping[str, Tensor] | None = None,
) -> Baselines:
    """Each metric's value for the chosen baselines, beside the model's.

    chosen: names of baselines with their arguments. scored: rows that none of `train` is among, or splits of `train`:
    then a baseline learns from each split's training rows and is scored on its validation rows, as the model was, and
    the values are means over the splits. result: the model's own metrics. deviations: `<target>_deviation` as the
    scored model has them; without them they are those of the rows learned from.

    Returns `{metric: {"value", "kind", "result", "beaten", "unbeaten", "all"}}`. value, kind: of the strongest baseline
    that learns from no input; one with chance in it has to be better by two standard deviations to count as stronger.
    A baseline is beaten by a result better than all of its n repetitions; unbeaten: names of the others, strongest
    first. all: `{name: {"kind", "reads_inputs", "learns", "mean", "std", "n", "best"}}`, the best of n repetitions, and
    whether it learns from inputs. A metric that is defined for no baseline is left out; a warning names chosen
    baselines that fit no target.
    """
    built: dict[str, Any] = {name: registry.load("baselines", name)(**args) for name, args in chosen.items()}
    targets = [spec.targets[metric.key] for metric in metrics.values()]
    inputs = any(_reads_inputs(b) and any(_fits(b, target) for target in targets) for b in built.values())
    splits = [None] if isinstance(scored, Rows) else [split for split in scored if len(split.val)]
    values: dict[tuple[str, str], list[list[float]]] = {}  # by metric and baseline: one list per split
    for split in splits:
        learned, new = (train, scored) if split is None else (pick(train, r, inputs) for r in (split.train, split.val))
        assert isinstance(new, Rows)
        unit = deviations or {
            f"{name}_deviation": deviation(spec, train, name, None if split is None else split.train)
            for name, target in spec.targets.items()
            if target.standardize != "no" and target in targets
        }
        for name, baseline in built.items():
            use = derive(seed, "baseline", name, split.name if split else "test")
            for metric, found in _scores(spec, metrics, baseline, learned, new, use, unit).items():
                values.setdefault((metric, name), []).append(found)
    if splits and metrics:
        _warn_of_silent(list(chosen), {name for _, name in values}, targets)
    judged = {}
    for metric, measure in metrics.items():
        upwards = measure.higher_is_better
        scores = {n: _score(built[n], np.mean(v, 0), upwards) for (of, n), v in values.items() if of == metric}
        scores = {name: score for name, score in scores.items() if math.isfinite(score["mean"])}
        if scores:
            judged[metric] = _judged(scores, upwards, result.get(metric, math.nan))
    return judged


def verdict(judged: Baselines) -> str:
    """One sentence on what `judge` found; nothing where it found nothing."""
    behind = {metric: found for metric, found in judged.items() if not found["beaten"]}
    if not behind:
        return "beats every baseline" if judged else ""
    failed: dict[str, list[str]] = {}  # by baseline
    close: dict[str, bool] = {}
    reasons: set[str] = set()
    for metric, found in behind.items():
        simple = [name for name in found["unbeaten"] if not _learns(found["all"][name])]
        name = (simple or found["unbeaten"])[0]
        reasons.add(_reason(found["all"][name]))
        score, result = found["all"][name], found["result"]
        spread = f" ± {score['std']:.2g}, best of {score['n']}: {score['best']:.4g}" if score["n"] > 1 else ""
        failed.setdefault(name, []).append(f"{metric} {result:.4g} against {score['mean']:.4g}{spread}")
        between = (result - score["mean"]) * (score["best"] - score["mean"]) > 0  # its mean and its best
        close[name] = close.get(name, True) and between
    said = {name: f"{name} ({', '.join(parts)})" for name, parts in failed.items()}
    plainly = " and ".join(text for name, text in said.items() if not close[name])
    barely = " and ".join(text for name, text in said.items() if close[name])
    ahead = [metric for metric in judged if metric not in behind]
    if ahead:
        not_beaten = [f"not {plainly}"] * bool(plainly) + [f"not clearly {barely}"] * bool(barely)
        return f"beats every baseline in {' and '.join(ahead)}, but {' and '.join(not_beaten)}"
    not_beaten = [f"does not beat {plainly}"] * bool(plainly) + [f"does not clearly beat {barely}"] * bool(barely)
    why = reasons.pop() if len(reasons) == 1 else HIDDEN
    return f"{' and '.join(not_beaten)}: {why}"


def _warn_of_silent(chosen: list[str], spoke: set[str], targets: list[TargetSpec]) -> None:
    """Name what was chosen and fits none of these targets; of the usual ones only where nothing fits."""
    silent = [name for name in chosen if name not in spoke and (name not in USUAL or not spoke)]
    if silent:
        kinds = list(dict.fromkeys(target.problem for target in targets))
        named = f"baseline {silent[0]} says" if len(silent) == 1 else f"baselines {' and '.join(silent)} say"
        fitting = ", ".join(dict.fromkeys(FITTING.get(kind, "mean, median, linear") for kind in kinds))
        log.warning("%s nothing about a %s target; what fits: %s", named, " or ".join(kinds), fitting)


def _judged(scores: dict[str, dict[str, Any]], upwards: bool, result: float) -> dict[str, Any]:
    """Of one metric."""
    sign = 1 if upwards else -1
    simple = {name: score for name, score in scores.items() if not _learns(score)} or scores
    strongest = max(simple.values(), key=lambda score: sign * score["mean"] - 2 * score["std"])
    best_first = sorted(scores, key=lambda name: -sign * scores[name]["mean"])
    unbeaten = [n for n in best_first if not sign * result > sign * scores[n]["best"]]
    return {
        "value": strongest["mean"],
        "kind": strongest["kind"],
        "result": result,
        "beaten": not unbeaten,
        "unbeaten": unbeaten,
        "all": scores,
    }


def _scores(
    spec: DataSpec, metrics: Mapping[str, AnyMetric], baseline: Baseline, train: Rows, scored: Rows, seed: int,
    more: Mapping[str, Tensor],
) -> dict[str, list[float]]:  # fmt: skip
    """By metric, one value per repetition. more: what a model gives beside predictions."""
    found = {}
    for key in dict.fromkeys(metric.key for metric in metrics.values()):
        predictions = baseline.outputs(key, spec.targets[key], train, scored, seed)
        for name, metric in metrics.items():
            if metric.key == key and predictions is not None:
                outputs = [{**more, key: p, f"{key}_logits": _logits(p, spec.targets[key])} for p in predictions]
                found[name] = [_value(metric, some, scored.targets) for some in outputs]
    return found


def _value(metric: Any, outputs: dict[str, Tensor], targets: dict[str, Tensor]) -> float:
    if isinstance(metric, RankingMetric):
        return float(metric.compute_all(metric.keep(outputs, targets).double().numpy()))
    return float(metric.compute(metric.update(outputs, targets, None)))


def _logits(prediction: Tensor, target: TargetSpec) -> Tensor:
    """What the last activation would have made the prediction from."""
    if target.problem == "regression":
        return prediction
    return prediction.clamp(min=1e-7).log() if target.problem == "multiclass" else prediction.logit(1e-7)


def _score(baseline: Any, repetitions: Any, upwards: bool) -> dict[str, Any]:
    """std with n - 1 in the denominator; 0 for one repetition."""
    n = len(repetitions)
    spread = float(np.std(repetitions, ddof=1)) if n > 1 else 0.0
    reads_inputs = _reads_inputs(baseline)
    facts = {"kind": baseline.kind, "reads_inputs": reads_inputs}
    facts["learns"] = reads_inputs and getattr(baseline, "learns", True)
    best = float(np.max(repetitions) if upwards else np.min(repetitions))
    mean = float(np.mean(repetitions))
    return {**facts, "mean": mean, "std": spread, "n": n, "best": best}


def _learns(score: Mapping[str, Any]) -> bool:
    return bool(score.get("learns", score["reads_inputs"]))


def _reason(score: Mapping[str, Any]) -> str:
    """What it means not to beat this baseline."""
    if not score["reads_inputs"]:
        return "no sign that the input was used"
    return HIDDEN if _learns(score) else f"no better than the {score['kind']}"


def _fits(baseline: Any, target: TargetSpec) -> bool:
    fits = getattr(baseline, "fits", None)
    return fits is None or bool(fits(target))


def _reads_inputs(baseline: Any) -> bool:
    return bool(getattr(baseline, "reads_inputs", True))
