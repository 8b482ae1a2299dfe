"""What parts must agree on where each alone is right: the last checks of a config."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlrun import registry
from dlrun.callbacks._best import check_monitor
from dlrun.config import RunConfig
from dlrun.errors import Problem


def check_outputs(metrics: dict[str, Any], outputs: Mapping[str, str]) -> list[Problem]:
    """A metric can't read what the model does not give."""
    hint = f"its outputs: {', '.join(outputs) or 'none'}; set the metric's target"
    problems = []
    for name, metric in metrics.items():
        if metric is not None and metric.key not in outputs:
            problems.append(Problem(f"metrics.{name}", f"the model has no output '{metric.key}'", hint))
        elif getattr(metric, "of_deviations", False) and outputs[metric.key] != "linear":
            message = f"needs a linear last layer, that of '{metric.key}' is {outputs[metric.key]}"
            problems.append(Problem(f"metrics.{name}", message, "take mae"))
    return problems


def check_evaluation(evaluation: Any, unstackable: str | None) -> list[Problem]:
    """Stages that contradict each other."""
    problems = []
    models = evaluation.folds * evaluation.n_repeats
    if evaluation.test and not evaluation.refit and models > 1:
        problems.append(
            Problem(
                "evaluation.test",
                f"impossible without evaluation.refit: there are {models} models, and the test set is opened once",
                "set evaluation.refit=best or to a number of epochs",
            )
        )
    if evaluation.refit == "best" and not evaluation.validates:
        problems.append(
            Problem(
                "evaluation.refit",
                "'best' needs validation, and evaluation.validation is 0",
                "hold rows out, or give a number of epochs",
            )
        )
    if evaluation.stack == "always" and unstackable and models > 1:
        problems.append(Problem("evaluation.stack", f"'always' is impossible here: {unstackable}", "use auto or never"))
    return problems


def check_logged(logged: list[str]) -> list[Problem]:
    """Of several targets the names stand in those of logged values."""
    message = (
        "the name of a target would make this the name of a logged value, which may not begin with val_ or have a /"
    )
    return [Problem(name, message, "rename the target") for name in logged if name.startswith("val_") or "/" in name]


def check_monitors(evaluation: Any, config: RunConfig, logged: list[str]) -> list[Problem]:
    """Values that callbacks and the schedule follow: they must be logged, also in the refit."""
    logged = [*logged, *(f"val_{name}" for name in logged if evaluation.validates)]
    following = {f"callbacks.{name}": args for name, args in config.callbacks.items()}
    if config.schedule:
        defaults = registry.arguments(registry.load("schedule", config.schedule.name))
        following["schedule"] = {"monitor": defaults.get("monitor", (str, "auto"))[1], **config.schedule.args}
    problems = [
        problem
        for path, args in following.items()
        if args.get("monitor", "auto") != "auto"
        for problem in check_monitor(f"{path}.monitor", args["monitor"], logged)
    ]
    monitor = following.get("schedule", {}).get("monitor", "auto")
    if evaluation.refit and monitor.startswith("val_") and not problems:
        message = f"'{monitor}' is impossible with evaluation.refit: the refit holds no rows out"
        problems.append(Problem("schedule.monitor", message, "set schedule.monitor=loss"))
    return problems
