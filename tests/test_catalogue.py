"""The catalogue as a whole: files pair with YAML, tasks run, imports point one way.

These tests go over the folders' listings, so a new component or task is tested by being there.
"""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from dlrun import registry
from dlrun.claims import experiments
from dlrun.claims import read as read_experiment
from dlrun.cli import main
from dlrun.compose import CONFIGS
from dlrun.config import TrainerConfig
from dlrun.results_block import BEGIN, END

HERE = Path(registry.__file__).parent
COMPONENTS = [(group, name) for group in registry.PACKAGES for name in registry.names(group)]
VARIANTS = [
    (group, name, file.stem)
    for group, name in COMPONENTS
    for file in sorted((CONFIGS / group).glob(f"{name}_*.yaml"))
    if file.stem not in registry.names(group)
]
"""Further YAML of a component, called `<name>_…`: the same keys with other values, such as a whole net."""
TASKS = sorted(f.stem for f in (CONFIGS / "task").glob("*.yaml"))
SEVERAL = (
    "metrics",
    "callbacks",
    "guards",
    "baselines",
)  # groups whose YAML stands under its name, for several may be chosen
WIDEST = 110


def read(group: str, name: str) -> dict[str, Any]:
    plain: dict[str, Any] = yaml.safe_load((CONFIGS / group / f"{name}.yaml").read_text(encoding="utf-8"))
    return plain


def comment(file: Path) -> list[str]:
    """The comment that a YAML file starts with, line by line."""
    lines = []
    for line in file.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.removeprefix("#").strip())
    return lines


@pytest.mark.parametrize("group", registry.PACKAGES)
def test_a_name_is_a_file_and_a_yaml(group):
    stems = {f.stem for f in (CONFIGS / group).glob("*.yaml")}
    assert set(registry.names(group)) == stems - {variant for g, _, variant in VARIANTS if g == group}
    assert registry.names(group)


@pytest.mark.parametrize(("group", "name", "variant"), VARIANTS)
def test_a_variant_has_the_keys_of_its_component(group, name, variant):
    assert list(read(group, variant)) == list(read(group, name))
    assert read(group, variant)["name"] == name
    assert 10 < len(comment(CONFIGS / group / f"{variant}.yaml")[0]) <= WIDEST


def test_blocks_say_in_one_line_what_they_are():
    for file in registry.blocks().values():
        assert 10 < len(comment(file)[0]) <= WIDEST, file
        assert comment(file)[0].endswith(".")


@pytest.mark.parametrize(("group", "name"), COMPONENTS)
def test_keys_and_defaults_of_the_yaml_are_those_of_build(group, name):
    arguments = registry.arguments(registry.load(group, name))
    node = read(group, name)
    if group in SEVERAL:
        assert list(node) == [name]
        node = node[name] or {}
    else:
        assert node.pop("name") == name
    assert list(node) == list(arguments)
    for key, (_, default) in arguments.items():
        if default is ... and isinstance(node[key], list):
            continue  # Python has no safe default that is a list
        assert (node[key], type(node[key])) == (default, type(default)), key


@pytest.mark.parametrize(("group", "name"), COMPONENTS)
def test_components_and_their_yaml_say_in_one_line_what_they_are(group, name):
    assert 10 < len(registry.describe(group, name)) <= WIDEST
    assert 10 < len(comment(CONFIGS / group / f"{name}.yaml")[0]) <= WIDEST


def test_the_trainers_yaml_is_its_dataclass():
    assert read("trainer", "default") == vars(TrainerConfig())


def test_no_group_of_yaml_is_left_over():
    folders = {f.name for f in CONFIGS.iterdir() if f.is_dir()}
    assert folders == {*registry.PACKAGES, "task", "trainer", "hydra"}


# Tasks


@pytest.mark.parametrize("task", TASKS)
def test_a_task_opens_with_what_it_is_its_command_time_and_score(task):
    first, what, *rest = comment(CONFIGS / "task" / f"{task}.yaml")
    assert first == "@package _global_"
    assert 20 < len(what) <= 120
    text = "\n".join(rest)
    assert f"dlrun train task={task}\n" in text
    assert re.search(r"About [\d.]+ (s|min|h)\b", text), "how long does it take?"
    assert re.search(r"\bbook\b", what + text, re.IGNORECASE), "where in the book is it?"
    assert re.search(r"\d\.\d{2,}|epoch \d", text), "what score is to be expected?"


def config_of(task: str) -> Any:
    from dlrun.commands import train

    return train.check(train.composer_for([], []), [f"task={task}", "dataset.source=sample"], False)


def chain(task: str) -> list[str]:
    """A task, and those that it begins with the weights of."""
    before = config_of(task).init_from
    return [task, *(chain(before) if before else [])]


def sample_words(task: str) -> list[str]:
    """Sample data; of pictures for a backbone few and small ones, which a large net is soon through."""
    config = config_of(task)
    small = {"image_features": "dataset.of.size", "dogs_vs_cats": "dataset.size"}.get(config.dataset.name)
    backbone = "backbone" in {**config.dataset.args, **config.architecture.args}
    few = [f"{small}=32", "evaluation.validation=200", "trainer.batch_size=4"] if small and backbone else []
    return ["dataset.source=sample", *few]


@pytest.mark.parametrize("task", TASKS)
def test_a_task_composes_and_its_parts_fit(task, project):
    from dlrun.assembly import assemble
    from dlrun.commands import train

    config = train.check(train.composer_for([], []), [f"task={task}", "dataset.source=sample"], False)
    assert config.task == task
    assert bool(assemble(config).warnings) == ("last_layer" in config.acknowledge)


@pytest.mark.parametrize("task", TASKS)
def test_a_task_runs_shrunk_to_two_batches(task, project, capsys):
    for one in reversed(chain(task)):
        words = [f"task={one}", *sample_words(one), "trainer.epochs=1", "trainer.steps_per_epoch=2"]
        assert main(["train", *words]) == 0
    (folder,) = Path("runs", task).iterdir()
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["status"] == "finished"
    assert summary["data_source"] == "sample"
    assert summary["warnings"] == {}
    assert summary["metrics"]["val"] or summary["metrics"]["test"]
    values = {*summary["metrics"]["val"], *summary["metrics"]["test"]}
    assert set(summary["baseline"]) == {v for v in values if v != "penalty" and not v.endswith("loss")}
    assert all(row["verdict"] == "not compared: sample data" for row in summary["book"])
    history = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert {"stage", "repeat", "fold", "epoch", "split", "loss"} <= set(history[0])
    for name in ("config.yaml", "overrides.yaml", "environment.json", "log.txt", "status", "plots/loss.png"):
        assert (folder / name).stat().st_size > 0, name
    assert list((folder / "checkpoints").glob("*.safetensors"))
    shown = capsys.readouterr().out
    assert "SAMPLE DATA" in shown
    assert f"files: runs/{task}/{folder.name}/" in shown
    left = [f.name for f in folder.rglob(".*")]
    assert left == []


def test_what_a_task_acknowledges_is_there(project):
    from dataclasses import replace

    from dlrun.assembly import assemble
    from dlrun.commands import train
    from dlrun.guarding import Context, findings

    composer, looked = train.composer_for([], []), set()
    for task in TASKS:
        if "\nacknowledge: [" not in (CONFIGS / "task" / f"{task}.yaml").read_text(encoding="utf-8"):
            continue
        config = train.check(composer, [f"task={task}", "dataset.source=sample"], False)
        parts = assemble(config)
        data = parts.dataset.load()
        targets = next(iter(data.train.targets.values())).numpy()
        scale = len(data.train) / data.spec.rows["train"]
        splits = parts.evaluation.splits(targets, 0, scale, data.validation)
        found = findings(Context(replace(config, acknowledge=[]), parts, data, splits))
        assert set(config.acknowledge) <= set(found), task
        looked |= set(config.acknowledge)
    assert looked == {"class_balance", "last_layer", "narrow_layer", "normalisation"}


@pytest.mark.parametrize("name", experiments())
def test_every_claim_is_about_a_run_and_a_value_that_it_reports(name, project):
    from dlrun.assembly import assemble
    from dlrun.commands import train
    from dlrun.objective import logged_terms

    folder = experiments()[name]
    experiment = read_experiment(folder)
    assert set(experiment.runs) <= set(TASKS)
    assert experiment.claims
    composer = train.composer_for([], [])
    sample = "dataset.source=sample"  # weights that some need are not there
    configs = {task: train.check(composer, [f"task={task}", sample], False) for task in experiment.runs}
    parts = {task: assemble(config) for task, config in configs.items()}
    metrics = {task: {*made.metrics, *logged_terms(made.loss)} for task, made in parts.items()}
    for claim in experiment.claims:
        assert claim.low <= claim.high
        assert claim.expected is None or claim.low <= claim.expected <= claim.high, claim.claim
        for task in {claim.run, claim.minus} - {None}:
            for metric in {claim.metric, claim.minus_metric} - {None}:
                reports(configs[task], metrics[task], metric)
    assert {c.run for c in experiment.claims} - {None} <= set(experiment.runs)
    assert any(c.run is None for c in experiment.claims) == bool(experiment.demo)
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert 0 < text.index(BEGIN) < text.index(END)
    assert f"dlrun reproduce {name} " in text


def reports(config: Any, metrics: set[str], path: str) -> None:
    """Fail where a run of this config, with these metrics, has no such value."""
    part, metric, *field = path.split(".")
    evaluation = config.evaluation.args
    assert part in ("train", "val", "test", "baseline", "parameters", "rows"), path
    if part == "rows":
        assert (metric in ("train", "val", "test"), field) == (True, []), path
        return
    if part == "parameters":
        assert (metric, field) == ("total", []), path
        return
    assert metric in {*metrics, *(["loss"] if part != "baseline" else [])}, path
    if part == "val":
        assert evaluation.get("validation", 1), path
    if part == "test":
        assert evaluation["test"], path
        assert not field, path
    if part == "baseline":
        assert field in ([], *([name] for name in config.baselines)), path
    elif field and field[0].startswith("epoch_"):
        assert 1 <= int(field[0].removeprefix("epoch_")) <= config.trainer.epochs, path
    elif field:
        assert (part, field[0]) in [("val", f) for f in ("mean", "std", "best", "best_epoch")], path


def test_every_task_belongs_to_an_experiment():
    assert {run for folder in experiments().values() for run in read_experiment(folder).runs} == set(TASKS)


# The direction of imports

PARTS = ("datasets", "layers", "architectures", "losses", "metrics", "optimizers", "schedules", "steps", "evaluations",
         "callbacks", "guards", "baselines")  # fmt: skip
BASE = {"contracts", "types", "errors", "seeds"}
MORE = {
    "steps": {"stack"},  # they move ensembles
    "callbacks": {"stack"},  # they keep members' weights
    "guards": {"guarding", "picking", "ledger", "run_folder", "registry"},  # they look at a whole run
    "baselines": {"picking"},
    "datasets/_download.py": {"console"},  # its progress bar
    "graphs/blocks.py": {"registry"},  # it lists files
    "graphs/pretrained.py": {"datasets"},  # the mirrors of data have weights, too
    "graphs/weight_files.py": {"datasets"},
    "datasets/image_features.py": {"arguments", "graphs", "layers", "memory", "registry"},  # pictures through a model
    "layers/_making.py": {"arguments", "registry"},  # a layer may hold others, named in YAML
    "losses/per_output.py": {"registry"},  # its terms are losses by name
    "datasets": {"memory"},  # a table that does not fit is refused before it is read
}
"""What some parts may use beside the base."""

BELOW = {
    "architectures": {"layers", "graphs"},
    "graphs": {"layers"},
    "losses": {"layers"},
    "guards": {"layers", "architectures"},
    "metrics": {"losses"},
    "steps": {"optimizers"},
}
"""Which part may use another one; read as arrows, they never close a circle."""


def imported(file: Path) -> set[str]:
    """The modules of dlrun that a file names in its imports, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            whole = node.module == "dlrun"
            found |= {f"dlrun.{alias.name}" for alias in node.names} if whole else {node.module}
    return {name.removeprefix("dlrun.") for name in found if name.startswith("dlrun.")}


@pytest.mark.parametrize("part", PARTS)
def test_parts_know_the_contracts_and_nothing_above(part):
    allowed = BASE | MORE.get(part, set()) | BELOW.get(part, set()) | {part}
    for file in (HERE / part).glob("*.py"):
        more = MORE.get(f"{part}/{file.name}", set())
        above = {name for name in imported(file) if name.split(".")[0] not in allowed | more}
        assert not above, f"{file.name} imports {', '.join(sorted(above))}"


@pytest.mark.parametrize("name", ["contracts", "types", "errors", "seeds", "files"])
def test_the_base_knows_nobody_above(name):
    files = sorted((HERE / name).glob("*.py")) or [HERE / f"{name}.py"]
    for file in files:
        assert {module.split(".")[0] for module in imported(file)} <= BASE


def test_only_commands_and_the_command_line_know_the_runner():
    users = {f.relative_to(HERE) for f in HERE.rglob("*.py") if "runner" in imported(f)}
    assert all(f.parts[0] in ("commands", "cli.py", "sweeping.py", "jointly.py") for f in users), users


def test_nobody_imports_heavy_packages_at_the_top():
    """torchvision, matplotlib, sklearn, scipy and pooch take seconds: they are imported where they are used."""
    late = {"torchvision", "matplotlib", "sklearn", "scipy", "pooch", "PIL"}
    for file in HERE.rglob("*.py"):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not late & {name.split(".")[0] for name in names}, file
