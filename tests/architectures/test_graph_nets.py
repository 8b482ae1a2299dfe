"""The nets of the catalogue against torchvision's."""

from __future__ import annotations

import json

import pytest
import torch
from _nets import net, theirs
from safetensors.torch import save_file
from torch import nn

from dlrun.layers.batch_normalization import BatchNormalization

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
    """Scores as in the mirror's notes; preprocessing as in the file."""
    import numpy as np
    from PIL import Image

    names = json.loads((mirror / "weights" / "imagenet_class_index.json").read_text())
    picture = Image.open(mirror / "images" / "creative_commons_elephant.jpg").convert("RGB").resize((224, 224))
    x = torch.from_numpy(np.asarray(picture, dtype=np.float32) / 127.5 - 1.0)[None]
    with torch.no_grad():
        scores = net("mobilenet_v2", 224, weights="mobilenet_v2.safetensors").eval()({"image": x})["class"][0]
    best = [(names[str(int(i))][1], float(scores[i])) for i in scores.argsort(descending=True)[:3]]
    assert [name for name, _ in best] == ["African_elephant", "tusker", "water_buffalo"]
    assert [score for _, score in best] == pytest.approx([0.74, 0.07, 0.03], abs=0.02)
