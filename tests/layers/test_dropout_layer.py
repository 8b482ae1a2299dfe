from __future__ import annotations

import pytest
import torch

from dlrun.layers import dropout
from dlrun.layers._spec import TensorSpec
from dlrun.layers.dropout import KEY, STRIDE, hash_words

N = 2**16


def layer(rate: float, seed: int = 0, size: int = 64):
    torch.manual_seed(seed)
    return dropout.build(TensorSpec((size,)), rate=rate)


def test_training_scales_up_and_evaluation_changes_nothing():
    module = layer(0.2)
    x = torch.full((512, 64), 3.0, requires_grad=True)
    y = module(x)
    y.sum().backward()
    assert set(y.unique().tolist()) == {0.0, 3.0 * torch.tensor(1 / 0.8).item()}
    assert torch.equal(x.grad, y.detach() / 3.0)
    assert y.mean().item() == pytest.approx(3.0, rel=0.02)
    key = module.key.clone()
    assert module.eval()(x) is x
    assert torch.equal(module.key, key)


def by_hand(key: int, position: int) -> int:
    """The hash in Python's unbounded integers, without any wrap-around of a 64-bit word."""
    x = position + (key & 0xFFFFFFFF)
    x ^= x >> 16
    x = (x * 0x21F0AAAD & 0xFFFFFFFF) ^ (key >> 32)
    x ^= x >> 15
    x = x * 0x735A2D97 & 0xFFFFFFFF
    return x ^ (x >> 15)


@pytest.mark.parametrize("key", [0, 1, 2**32 - 1, KEY, 0x123456789ABCDEF])
def test_words_are_those_of_exact_integers(key):
    words = hash_words(torch.tensor(key), 200).tolist()
    assert words == [by_hand(key, i) for i in range(200)]


def correlation(a: torch.Tensor, b: torch.Tensor) -> float:
    """Of two masks, in standard deviations of independent fair masks."""
    return float(((a * 2.0 - 1.0) * (b * 2.0 - 1.0)).sum() / a.numel() ** 0.5)


@pytest.mark.parametrize("seed", range(5))
def test_masks_look_independent(seed):
    """Bounds of 5 standard deviations; nothing here is random beyond the seed."""
    torch.manual_seed(seed)
    keys = [torch.randint(KEY + 1, ())]
    for _ in range(4):
        keys.append((keys[-1] + STRIDE) & KEY)
    words = [hash_words(key, N) for key in keys]
    masks = [w >= 2**31 for w in words]
    assert abs(masks[0].float().mean().item() - 0.5) < 5 * 0.5 / N**0.5
    for lag in (1, 2, 16, 64, 512):
        assert abs(correlation(masks[0][lag:], masks[0][:-lag])) < 5
    for other in masks[1:]:
        assert abs(correlation(masks[0], other)) < 5
    strangers = hash_words(torch.randint(KEY + 1, ()), N) >= 2**31
    assert abs(correlation(masks[0], strangers)) < 5
    neighbours = (words[0] >> 28)[:-1] * 16 + (words[0] >> 28)[1:]
    for bins in (words[0] >> 24, words[0] & 255, neighbours, (words[0] >> 28) * 16 + (words[1] >> 28)):
        count = torch.bincount(bins, minlength=256).double()
        expected = len(bins) / 256
        chi_square = ((count - expected) ** 2 / expected).sum().item()
        assert abs(chi_square - 255) < 5 * (2 * 255) ** 0.5


def test_every_batch_has_its_own_mask_and_a_restored_key_continues():
    module = layer(0.5)
    x = torch.ones(128, 64)
    first = module(x)
    saved = {name: t.clone() for name, t in module.state_dict().items()}
    second = module(x)
    assert not torch.equal(first, second)
    resumed = layer(0.5, seed=9)
    resumed.load_state_dict(saved)
    assert torch.equal(resumed(x), second)


def test_seeds_decide_and_padding_rows_do_not():
    x = torch.ones(128, 64)
    assert torch.equal(layer(0.5, seed=1)(x), layer(0.5, seed=1)(x))
    assert not torch.equal(layer(0.5, seed=1)(x), layer(0.5, seed=2)(x))
    assert torch.equal(layer(0.5)(x[:100]), layer(0.5)(x)[:100])


def test_key_stays_a_key():
    module = layer(0.5)
    for _ in range(50):
        module(torch.ones(1, 64))
        assert 0 <= module.key.item() <= KEY


@pytest.mark.slow
def test_compiled_equals_eager():
    eager, plain = layer(0.3), layer(0.3)
    compiled = torch.compile(plain, fullgraph=True)
    x = torch.randn(32, 64)
    for _ in range(3):
        assert torch.equal(compiled(x), eager(x))


@pytest.mark.gpu
def test_cuda_equals_cpu():
    here, there = layer(0.3), layer(0.3).cuda()
    x = torch.randn(32, 64)
    for _ in range(3):
        assert torch.equal(there(x.cuda()).cpu(), here(x))
