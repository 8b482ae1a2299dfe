"""Layers that draw: what their draws look like, and that they depend on nothing but key and position."""

from __future__ import annotations

import copy
import importlib

import pytest
import torch
from torch.func import functional_call, stack_module_state

from dlrun.compiler import trace
from dlrun.errors import ConfigError
from dlrun.layers._noise import kept, normal
from dlrun.layers._spec import TensorSpec
from dlrun.layers.alpha_dropout import LOWEST
from dlrun.layers.dropout import KEY, STRIDE, hash_words
from dlrun.stack import differing_settings

LAYERS = {
    "gaussian_noise": ({"stddev": 0.5}, (6, 8, 4)),
    "gaussian_dropout": ({"rate": 0.3}, (6, 8, 4)),
    "alpha_dropout": ({"rate": 0.3}, (6, 8, 4)),
    "spatial_dropout1d": ({"rate": 0.3}, (8, 32)),
    "spatial_dropout2d": ({"rate": 0.3}, (2, 3, 32)),
}
each_layer = pytest.mark.parametrize("name", LAYERS)


def make(name, seed=0, inputs=None, **arguments):
    torch.manual_seed(seed)
    build = importlib.import_module(f"dlrun.layers.{name}").build
    return build(inputs or TensorSpec(LAYERS[name][1]), **(arguments or LAYERS[name][0]))


def ones(name, rows=64):
    return torch.ones(rows, *LAYERS[name][1])


@each_layer
def test_evaluation_and_no_noise_change_nothing(name):
    module, x = make(name), ones(name)
    key = module.key.clone()
    assert module.eval()(x) is x
    assert torch.equal(module.key, key)
    (setting,) = module.settings
    assert make(name, **{setting: 0.0})(x) is x


@each_layer
def test_every_batch_has_its_own_draw_and_a_restored_key_continues(name):
    module, x = make(name), ones(name)
    first = module(x)
    saved = {n: t.clone() for n, t in module.state_dict().items()}
    assert list(saved) == ["key"]
    second = module(x)
    assert not torch.equal(first, second)
    resumed = make(name, seed=9)
    resumed.load_state_dict(saved)
    assert torch.equal(resumed(x), second)
    assert 0 <= module.key.item() <= KEY


@each_layer
def test_seeds_decide_and_padding_rows_do_not(name):
    x = ones(name)
    assert torch.equal(make(name)(x), make(name)(x))
    assert not torch.equal(make(name)(x), make(name, seed=1)(x))
    assert torch.equal(make(name)(x[:37]), make(name)(x)[:37])


@each_layer
def test_models_of_a_stack_with_rates_of_their_own(name):
    (setting,) = make(name).settings
    numbers = [0.0, 0.2, 0.5]
    modules = [make(name, seed=k, **{setting: number}) for k, number in enumerate(numbers)]
    assert differing_settings(modules) == {f".{setting}": numbers}
    params, buffers = stack_module_state(modules)
    shell = copy.deepcopy(modules[0]).to("meta")

    def one(buffers, number, x):
        setattr(shell, setting, number)
        return functional_call(shell, (params, buffers), (x,))

    x = torch.randn(3, 16, *LAYERS[name][1])
    y = torch.vmap(one)(buffers, torch.tensor(numbers, dtype=torch.float64), x)
    assert y.dtype == x.dtype
    for k, module in enumerate(modules):
        torch.testing.assert_close(y[k], module(x[k]), rtol=1e-6, atol=1e-6)


@each_layer
def test_traced_draws_are_the_eager_ones(name):
    module, x = make(name), torch.randn(8, *LAYERS[name][1])
    key = module.key.clone()
    shell = copy.deepcopy(module)
    graph = trace(lambda k, x: functional_call(shell, {"key": k}, (x,)), [key, x])
    for _ in range(2):
        assert torch.equal(graph(key, x), module(x))
    assert torch.equal(key, module.key)


def test_normal_deviates_are_normal():
    key = torch.tensor(12345)
    like = torch.empty(401, 499, dtype=torch.float64)  # an odd number of them
    z = normal(key, like)
    assert z.shape == like.shape
    assert key.item() == (12345 + STRIDE) & KEY
    z, n = z.flatten(), z.numel()
    assert abs(z.mean().item()) < 4 / n**0.5
    assert abs(z.var().item() - 1) < 4 * (2 / n) ** 0.5
    assert abs((z**3).mean().item()) < 4 * (15 / n) ** 0.5
    assert abs((z**4).mean().item() - 3) < 4 * (96 / n) ** 0.5
    ordered = torch.special.ndtr(z).sort().values
    farthest = (ordered - (torch.arange(n, dtype=torch.float64) + 0.5) / n).abs().max().item()
    assert farthest < 1.63 / n**0.5  # Kolmogorov and Smirnov's, at 1 %
    for lag in (1, 2, 64):
        assert abs((z[lag:] * z[:-lag]).mean().item()) < 4 / n**0.5
        assert abs((z[lag:] ** 2 * z[:-lag] ** 2).mean().item() - 1) < 4 * (8 / n) ** 0.5
    assert abs((z * normal(key, z)).mean().item()) < 4 / n**0.5
    assert z.abs().max() < 6.8


def test_normal_deviates_by_hand():
    key = torch.tensor(77)
    first, second = ((w + 0.5) / 2**32 for w in hash_words(key, 4)[2:].tolist())
    radius = (-2 * torch.tensor(first, dtype=torch.float64).log()).sqrt()
    angle = 2 * torch.pi * torch.tensor(second, dtype=torch.float64)
    expected = torch.stack((radius * angle.cos(), radius * angle.sin()))
    torch.testing.assert_close(normal(key.clone(), torch.empty(4, dtype=torch.float64))[2:], expected)
    torch.testing.assert_close(normal(key, torch.empty(5))[2:4], expected.float())


def test_a_kept_share():
    key = torch.tensor(5)
    assert kept(key.clone(), 0.25, 100_000).float().mean().item() == pytest.approx(0.75, abs=0.006)
    assert torch.equal(kept(key.clone(), 0.25, 99), kept(key.clone(), torch.tensor(0.25, dtype=torch.float64), 99))


def test_gaussian_noise_is_added():
    y = make("gaussian_noise")(3 * ones("gaussian_noise", 500))
    assert y.mean().item() == pytest.approx(3.0, abs=0.01)
    assert y.std().item() == pytest.approx(0.5, rel=0.01)


def test_gaussian_dropout_multiplies():
    x = 3 * ones("gaussian_dropout", 500)
    x.requires_grad_()
    y = make("gaussian_dropout")(x)
    y.sum().backward()
    assert y.mean().item() == pytest.approx(3.0, abs=0.02)
    assert y.std().item() == pytest.approx(3 * (0.3 / 0.7) ** 0.5, rel=0.01)
    torch.testing.assert_close(x.grad, y.detach() / 3)


def test_alpha_dropout_keeps_mean_and_variance():
    x = normal(torch.tensor(3), ones("alpha_dropout", 1000))
    y = make("alpha_dropout")(x)
    assert y.mean().item() == pytest.approx(0.0, abs=0.02)
    assert y.std().item() == pytest.approx(1.0, rel=0.01)
    factor = (0.7 * (1 + 0.3 * LOWEST**2)) ** -0.5
    dropped = factor * LOWEST - factor * LOWEST * 0.3
    share = (y - dropped).abs() < 1e-5
    assert share.float().mean().item() == pytest.approx(0.3, abs=0.01)


@pytest.mark.parametrize("name", ["spatial_dropout1d", "spatial_dropout2d"])
def test_whole_channels_are_dropped(name):
    y = make(name)(ones(name, 200)).flatten(1, -2)
    assert torch.equal(y, y[:, :1].expand_as(y))
    assert set(y.unique().tolist()) == {0.0, torch.tensor(1 / 0.7).item()}
    assert (y == 0).float().mean().item() == pytest.approx(0.3, abs=0.03)
    rows, channels = (y[:, 0] == 0).any(1), (y[:, 0] == 0).any(0)
    assert rows.float().mean() > 0.99
    assert channels.all()


def test_spatial_dropout_wants_its_axes():
    with pytest.raises(ConfigError, match=r"spatial_dropout1d expects \(steps, channels\), received \(2, 3, 4\)"):
        make("spatial_dropout1d", inputs=TensorSpec((2, 3, 4)))
    with pytest.raises(ConfigError, match=r"spatial_dropout2d expects \(height, width, channels\), received \(3, 4\)"):
        make("spatial_dropout2d", inputs=TensorSpec((3, 4)))


@pytest.mark.gpu
@each_layer
def test_cuda_equals_cpu(name):
    here, there, x = make(name), make(name).cuda(), torch.randn(16, *LAYERS[name][1])
    for _ in range(3):
        torch.testing.assert_close(there(x.cuda()).cpu(), here(x), rtol=1e-6, atol=1e-6)
