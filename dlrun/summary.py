"""The result of a run as numbers: `summary.json`, whose fields others read."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from dlrun.assembly import Parts
from dlrun.checkpoint import load_weights
from dlrun.claims import compare
from dlrun.config import RunConfig, TrainerConfig
from dlrun.contracts import AnyMetric, Data, Rows, Split
from dlrun.files import write_text
from dlrun.finding import final_weights
from dlrun.judging import judge
from dlrun.recording import Progressed
from dlrun.run_folder import RunFolder
from dlrun.standardizing import learned_deviations

Row = dict[str, Any]

RISE = 1.02
"""A validation loss that ends above its lowest value times this has risen."""


def make(
    config: RunConfig, overrides: list[str], parts: Parts, data: Data, splits: list[Split], folder: RunFolder,
    tested: dict[str, float] | None, warnings: dict[str, list[str]], progressed: Progressed, device: str,
) -> dict[str, Any]:  # fmt: skip
    """Everything about a finished run that fits in a few numbers."""
    rows = folder.read_rows()
    metrics: dict[str, Any] = {"val": validation(rows, parts.metrics), "test": tested or {}}
    sizes = [(p.numel(), p.requires_grad) for p in parts.probe.parameters()]
    return {
        "task": config.task,
        "signature": folder.path.name,
        "status": "finished",
        "data_source": data.source,
        "seed": config.seed,
        "metrics": metrics,
        "baseline": _baseline(config, parts, data, splits, folder, metrics),
        "warnings": warnings,
        "acknowledged": config.acknowledge,
        "seconds": round(progressed.seconds(), 3),
        "seconds_per_epoch": round(progressed.state["epoch_seconds"] / max(progressed.state["epochs"], 1), 5),
        "device": device,
        "rows": {"train": len(splits[0].train), "val": len(splits[0].val), "test": len(data.test) if data.test else 0},
        "parameters": {"total": sum(n for n, _ in sizes), "trainable": sum(n for n, t in sizes if t)},
        "book": compare(config.task, overrides, data.source, metrics),
    }


def validation(rows: list[Row], metrics: dict[str, AnyMetric]) -> dict[str, Any]:
    """Per metric over the splits, at the end of training: mean, spread, values; and the best epoch.

    std is over splits, with n - 1 in the denominator; 0 for one split. best_epoch is that of the mean curve,
    best its mean there.
    """
    val = [r for r in rows if r["stage"] == "fit" and r["split"] == "val"]
    names = [n for n in (val[0] if val else {}) if n not in ("stage", "repeat", "fold", "epoch", "split")]
    found = {}
    for name in names:
        curves = _curves(val, name)
        last = [c[max(c)] for c in curves]
        mean = mean_curve(curves)
        best = _argbest(mean, _upwards(name, metrics))
        found[name] = {
            "mean": float(np.mean(last)),
            "std": float(np.std(last, ddof=1)) if len(last) > 1 else 0.0,
            "per_split": last,
            "best_epoch": best,
            "best": mean[best],
        }
    return found


def best_epoch(rows: list[Row], monitor: str, metrics: dict[str, AnyMetric]) -> int:
    """The epoch to refit for. Where splits stopped at different epochs, the mean of their best ones."""
    part, name = ("val", monitor.removeprefix("val_")) if monitor.startswith("val_") else ("train", monitor)
    curves = _curves([r for r in rows if r["stage"] == "fit" and r["split"] == part], name)
    upwards = _upwards(name, metrics)
    if len({max(c) for c in curves}) == 1:
        return _argbest(mean_curve(curves), upwards)
    return round(float(np.mean([_argbest(c, upwards) for c in curves])))


def mean_curve(curves: list[dict[int, float]]) -> dict[int, float]:
    """Mean over splits per epoch, as long as all of them trained."""
    shortest = min(max(c) for c in curves)
    return {e: float(np.mean([c[e] for c in curves])) for e in range(1, shortest + 1)}


def _curves(rows: list[Row], name: str) -> list[dict[int, float]]:
    curves: dict[tuple[int, int], dict[int, float]] = {}
    for row in rows:
        curves.setdefault((row["repeat"], row["fold"]), {})[row["epoch"]] = row[name]
    return [curves[key] for key in sorted(curves)]


def _argbest(curve: dict[int, float], upwards: bool) -> int:
    """The first epoch with the best value."""
    return min(curve, key=lambda e: (-curve[e] if upwards else curve[e], e))


def _upwards(name: str, metrics: dict[str, AnyMetric]) -> bool:
    return name in metrics and metrics[name].higher_is_better


def _baseline(
    config: RunConfig, parts: Parts, data: Data, splits: list[Split], folder: RunFolder, metrics: dict[str, Any]
) -> dict[str, Any]:
    """On the rows that the result stands for: the test set when it was opened, else the validation rows."""
    deviations = None
    if metrics["test"] and data.test is not None:
        deviations = learned_deviations(parts.probe, load_weights(final_weights(folder)))
        scored: Rows | list[Split] = data.test
        result = metrics["test"]
    else:
        scored = splits
        result = {name: value["mean"] for name, value in metrics["val"].items()}
    if not result:
        return {}
    return judge(parts.spec, parts.metrics, config.baselines, data.train, scored, config.seed, result, deviations)


def remark(rows: list[Row]) -> str:
    """One sentence on the validation loss, the mean over splits: still falling, flat, or overfitting since when."""
    curves = _curves([r for r in rows if r["stage"] == "fit" and r["split"] == "val"], "loss")
    if not curves:
        return "no validation: over- or underfitting can't be told"
    mean = mean_curve(curves)
    best, last = _argbest(mean, False), max(mean)
    if last == 1:
        return "one epoch: over- or underfitting can't be told"
    if best == last:
        return f"validation loss was still falling at epoch {last}: it may train longer"
    if mean[last] > RISE * mean[best] > 0:
        return f"overfits after epoch {best}: validation loss rises from {mean[best]:.4f} to {mean[last]:.4f}"
    return f"validation loss is lowest at epoch {best} ({mean[best]:.4f}) and flat from there"


def write(folder: RunFolder, summary: dict[str, Any], trainer: TrainerConfig) -> None:
    """The plots, then the summary: a run with a summary is complete."""
    if trainer.plots:
        from dlrun.plots import draw_history

        title = summary["task"] + (" · SAMPLE DATA" if summary["data_source"] == "sample" else "")
        of_validation = {} if summary["metrics"]["test"] else summary["baseline"]
        draw_history(folder.read_rows(), folder.plots, title, trainer.plot_smoothing, of_validation)
    write_text(folder.summary, json.dumps(summary, indent=2) + "\n")
