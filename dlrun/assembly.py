"""From a RunConfig to its parts. Building them is also the last check: nothing is read or written here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from dlrun import agreeing, choosing, registry
from dlrun.config import RunConfig, Section
from dlrun.contracts import (
    AnyLoss,
    AnyMetric,
    AnyTable,
    Callback,
    Data,
    Dataset,
    DataSpec,
    Evaluation,
    OptimizerSpec,
    Schedule,
    Split,
    Step,
)  # fmt: skip
from dlrun.errors import ConfigError, Problem
from dlrun.losses import _table
from dlrun.objective import Objective, logged_terms, terms
from dlrun.seeds import seeded
from dlrun.stack import Ensemble, why_not
from dlrun.standardizing import standardized


@dataclass
class Parts:
    """The built components of a run. model: from a seed to a model with its first weights. probe: one on the meta
    device, for whoever asks about layers and shapes. content: a text that changes with what the model reads from files.
    """

    dataset: Dataset
    model: Callable[[int], nn.Module]
    probe: nn.Module
    loss: AnyLoss
    metrics: dict[str, AnyMetric]
    tables: dict[str, AnyTable]
    optimizer: OptimizerSpec
    schedule: Callable[[], Schedule]
    evaluation: Evaluation
    step: Callable[[Ensemble, OptimizerSpec], Step]
    callbacks: Callable[[], dict[str, Callback]]
    warnings: list[str]
    content: str | None
    unstackable: str | None
    uncompilable: str | None

    @property
    def spec(self) -> DataSpec:
        """What is known of the data before it is read."""
        return self.dataset.spec

    def splits(self, data: Data, seed: int) -> list[Split]:
        """Which rows each model trains on. Of several targets the first of classes is what `stratify` looks at."""
        known = data.spec.targets
        of_classes = [name for name, target in known.items() if target.problem in ("binary", "multiclass")]
        targets = data.train.targets[[*of_classes, *known][0]].numpy()
        scale = len(data.train) / data.spec.rows["train"] if data.spec.rows else 1.0
        return self.evaluation.splits(targets, seed, scale, data.validation)

    def objective(self, seed: int, dtype: torch.dtype, device: torch.device) -> Objective:
        """A fresh model with loss and metrics, ready to train."""
        return Objective(self.model(seed).to(device, dtype), self.loss, self.metrics)


def assemble(config: RunConfig) -> Parts:
    """Build every part. Raises ConfigError with all that does not fit together.

    A section that is None (`config.parse` found it wrong) is left out, and the others are checked all the
    same; the ConfigError then raised may be empty.
    """
    builder = _Builder()
    dataset = builder.section("dataset", config.dataset)
    evaluation = builder.section("evaluation", config.evaluation)
    optimizer = builder.section("optimizer", config.optimizer)
    schedule = builder.section("schedule", config.schedule)
    builder.mapping("callbacks", config.callbacks)
    builder.mapping("baselines", config.baselines)
    builder.mapping("guards", config.guards)
    problems = builder.problems
    if dataset is None:
        raise ConfigError(problems)
    spec = dataset.spec
    if config.dataset.args.get("source") == "sample":
        spec = replace(spec, sample=True)
    loss = builder.section("loss", config.loss, spec)
    metrics = builder.mapping("metrics", config.metrics, spec)
    metrics = reported(metrics)
    logged = ["loss", *(logged_terms(loss) if loss else [f"{target}_loss" for target in spec.targets]),
              *(name for name, metric in metrics.items() if not isinstance(metric, AnyTable))]  # fmt: skip
    problems += agreeing.check_logged(logged)
    if evaluation is not None:
        problems += agreeing.check_monitors(evaluation, config, logged)

    def model(seed: int) -> nn.Module:
        with seeded(seed):
            built: nn.Module = registry.load("architecture", config.architecture.name)(spec, **config.architecture.args)
        return standardized(built, spec)

    probe: Any = None
    if config.architecture:
        with torch.device("meta"):
            probe = builder.attempt("architecture", model, 0)
    warnings: list[str] = []
    if probe is not None and loss is not None:
        taken = registry.arguments(registry.load("architecture", config.architecture.name))
        for target, term in terms(loss).items():
            path = f"loss.losses.{target}" if config.loss.name == "per_output" else "loss.name"
            found, warned = _table.check(spec, term.name, target, probe.output_activations, path)
            for problem in found:
                section, _, argument = problem.path.partition(".")
                unknown = section == "architecture" and argument not in taken  # its last layer says it itself
                problems.append(replace(problem, path=section) if unknown else problem)
            warnings += warned
    if probe is not None:
        problems += agreeing.check_outputs(metrics, probe.output_activations)
    content = _content(probe) if probe is not None else None
    reason = None
    if probe is not None and optimizer is not None and schedule is not None:
        reason = why_not(probe, {"optimizer": optimizer.unstackable, "schedule": schedule.unstackable})
    not_compiled = choosing.impossible(optimizer) if optimizer is not None else None
    if not_compiled and config.trainer.compile == "always":
        problems.append(Problem("trainer.compile", f"'always' is impossible here: {not_compiled}", "use auto or never"))
    if evaluation is not None:
        problems += agreeing.check_evaluation(evaluation, reason)
    if problems or None in (loss, probe, optimizer, schedule, evaluation, config.step):
        raise ConfigError(problems)
    make_step = registry.load("step", config.step.name)
    return Parts(
        dataset, model, probe, loss,
        {name: m for name, m in metrics.items() if not isinstance(m, AnyTable)},
        {name: m for name, m in metrics.items() if isinstance(m, AnyTable)},
        optimizer, lambda: builder.section("schedule", config.schedule), evaluation,
        lambda ensemble, opt: make_step(ensemble, opt, **config.step.args),
        lambda: builder.mapping("callbacks", config.callbacks),
        warnings, content, reason, not_compiled,
    )  # fmt: skip


def reported(built: Mapping[str, Any]) -> dict[str, Any]:
    """Metrics by the names under which they are reported, from what `build` made of each in the config."""
    found: dict[str, Any] = {}
    for name, made in built.items():
        found |= made if isinstance(made, Mapping) else {name: made}
    return found


class _Builder:
    """Builds components and gathers what they object to."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def attempt(self, path: str, build: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """What `build` makes of its arguments, or None."""
        try:
            return build(*args, **kwargs)
        except ConfigError as error:
            self.problems += error.problems
        except (TypeError, RuntimeError) as error:  # what a build is not handed; sizes that torch can't count
            self.problems.append(Problem(path, str(error).splitlines()[0]))
        return None

    def section(self, group: str, part: Section | None, *context: Any) -> Any:
        """One component."""
        return part and self.attempt(group, registry.load(group, part.name), *context, **part.args)

    def mapping(self, group: str, parts: dict[str, dict[str, Any]], *context: Any) -> dict[str, Any]:
        """Several of a group, by name."""
        return {
            name: self.attempt(f"{group}.{name}", registry.load(group, name), *context, **args)
            for name, args in parts.items()
        }


def _content(model: nn.Module) -> str | None:
    """What parts of the model say of files that they were made from."""
    found = [text for part in model.modules() if (text := getattr(part, "fingerprint", None))]
    return " ".join(found) or None
