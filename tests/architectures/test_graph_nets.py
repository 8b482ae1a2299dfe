"""The nets of the catalogue against torchvision's."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
import torch
import yaml
from _nets import net, theirs
from safetensors.torch import save_file
from torch import nn

from dlrun.cli import main
from dlrun.compose import Composer
from dlrun.layers.batch_normalization import BatchNormalization

ROOT = Path(__file__).parent.parent.parent
NETS = {"resnet18": 11_689_512, "mobilenet_v2": 3_504_872, "inception_v3_stem": None}
SIZE = 75


def count(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


@pytest.fixture(scope="module", params=NETS)
def pair(request, tmp_path_factory):
    """torchvision's net and ours with its weights, read from a file, in float64."""
    torch.manual_seed(0)
    other = theirs(request.param)
    path = tmp_path_factory.mktemp("weights") / "theirs.safetensors"
    save_file(other.state_dict(), path)
    return other.double(), net(request.param, SIZE, weights=str(path)).double(), request.param


def test_parameters_are_as_many_as_torchvisions(pair):
    other, ours, name = pair
    assert count(ours) == count(other)
    assert NETS[name] in (count(ours), None)


def test_parameters_are_called_as_torchvisions(pair):
    other, ours, _ = pair
    layers = [name.rpartition(".")[0].replace("_", ".") for name, _ in other.named_parameters()]
    assert [name.rpartition(".")[0].replace("_", ".") for name, _ in ours.named_parameters()] == layers


@pytest.mark.parametrize("size", [SIZE, 2 * SIZE + 1])
def test_outputs_are_torchvisions(pair, size):
    other, ours, _ = pair
    x = torch.randn(2, size, size, 3, dtype=torch.float64)
    with torch.no_grad():
        expected = other.eval()(x.permute(0, 3, 1, 2))
        found = ours.eval()({"image": x})
    torch.testing.assert_close(found["class_logits"], expected, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(found["class"], expected.softmax(1), rtol=1e-10, atol=1e-10)


def test_gradients_and_statistics_are_torchvisions():
    """In training; the moving variance but for Keras's divisor, N and not N - 1."""
    torch.manual_seed(0)
    other, ours = theirs("resnet18").double().train(), net("resnet18", 32).double().train()
    for mine, its in zip(ours.parameters(), other.parameters(), strict=True):
        mine.data.copy_(its.T if its.ndim == 2 else its)
    for mine, its in zip(batch_norms(ours), batch_norms(other), strict=True):
        mine.moving_mean.copy_(its.running_mean)
        mine.moving_variance.copy_(its.running_var)
    before = [norm.running_var.clone() for norm in batch_norms(other)]
    x, y = torch.randn(4, 32, 32, 3, dtype=torch.float64), torch.randint(1000, (4,))
    nn.functional.cross_entropy(other(x.permute(0, 3, 1, 2)), y).backward()
    nn.functional.cross_entropy(ours({"image": x})["class_logits"], y).backward()
    for (name, mine), its in zip(ours.named_parameters(), other.parameters(), strict=True):
        expected = its.grad.T if its.ndim == 2 else its.grad
        torch.testing.assert_close(mine.grad, expected, rtol=1e-8, atol=1e-10, msg=name)
    places = [16, *[8] * 4, *[4] * 5, *[2] * 5, *[1] * 5]
    for mine, its, old, side in zip(batch_norms(ours), batch_norms(other), before, places, strict=True):
        n = 4 * side**2
        torch.testing.assert_close(mine.moving_mean, its.running_mean, rtol=1e-10, atol=1e-10)
        moved = (its.running_var - 0.9 * old) * (n - 1) / n
        torch.testing.assert_close(mine.moving_variance, 0.9 * old + moved, rtol=1e-10, atol=1e-10)


def batch_norms(model: nn.Module) -> list[nn.Module]:
    return [m for m in model.modules() if isinstance(m, BatchNormalization | nn.BatchNorm2d)]


def test_real_weights_know_the_books_elephant(mirror):
    """Scores as in the mirror's notes."""
    script = runpy.run_path(str(ROOT / "experiments" / "pretrained_weights" / "elephant.py"))
    names, scores = zip(*script["best"](mirror, "creative_commons_elephant.jpg"), strict=True)
    assert names == ("African_elephant", "tusker", "water_buffalo")
    assert scores == pytest.approx([0.74, 0.07, 0.03], abs=0.02)


@pytest.fixture
def task(tmp_path):
    """From the layers of a graph, as a task's YAML says them, to a composer that knows the task."""

    def task(layers: str) -> Composer:
        (tmp_path / "task").mkdir()
        (tmp_path / "task" / "own.yaml").write_text(
            "# @package _global_\ndefaults: [override /dataset: points_2d, override /architecture: graph]\n"
            f"architecture: {{layers: {layers}}}\n"
        )
        return Composer([tmp_path])

    return task


@pytest.mark.parametrize("layers", ["[{name: output}]", "{last: {name: output}}"])
def test_a_tasks_layers_are_a_list_or_a_mapping(layers, task):
    composed = task(layers).compose(["task=own"])
    assert not composed.problems
    assert composed.config.architecture.layers == yaml.safe_load(layers)


def test_a_graph_without_layers_says_so(capsys, project):
    assert main(["show", "dataset=points_2d", "architecture=graph"]) == 2
    assert "architecture.layers: expected layers, received none" in capsys.readouterr().err


def test_what_a_task_says_of_another_graph_is_dropped(task):
    """As for any other component that the command line chooses in place of the task's."""
    composer = task("{a: {name: dense, units: 3}, b: {name: output}}")
    own = composer.compose(["task=own", "architecture=graph"])
    assert "a" in own.config.architecture.layers
    chosen = composer.compose(["task=own", "architecture=graph_resnet18"])
    assert chosen.config.architecture == composer.compose(["architecture=graph_resnet18"]).config.architecture
    assert not chosen.problems
