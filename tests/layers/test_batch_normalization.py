"""Batch normalization: Keras's figures, torch's gradients, moving averages in stacks and in traces."""

from __future__ import annotations

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from torch.func import functional_call, stack_module_state

from dlrun.compiler import trace
from dlrun.errors import ConfigError
from dlrun.layers import batch_normalization
from dlrun.layers._spec import TensorSpec
from dlrun.stack import mixes_rows


def layer(*shape, **arguments):
    return batch_normalization.build(TensorSpec(shape), **arguments)


def drawn(*shape, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=dtype) * 2 + 1


def ramp(shape):
    return (torch.arange(math.prod(shape), dtype=torch.float64) * 0.37 - 1).sin().mul(2).view(shape)


def weighed(y):
    """One number that says whether all are right."""
    return float((y.detach() * (torch.arange(y.numel(), dtype=y.dtype) * 0.7).cos().view(y.shape)).sum())


# shape, arguments; weighed sums of two training batches and an evaluation; moving mean and variance. From Keras 3.15
# on jax, with gamma from 0.5 to 1.5 and beta from -1 to 1.
FROM_KERAS = [
    (
        (6, 3),
        {},
        (0.2876073, 0.2876607, 0.3799481),
        [0.006531091, 0.007025617, 0.007922713],
        [1.0854994, 1.0822073, 1.0775253],
    ),
    (
        (2, 3, 4),
        {"momentum": 0.5, "epsilon": 1e-5},
        (-4.8080178, -4.8080241, -3.3286692),
        [0.24564362, 0.4574278, 0.674974, 0.8688383],
        [4.4091287, 4.3611054, 4.3831015, 4.463613],
    ),
    (
        (2, 2, 3, 4),
        {"axis": 1, "momentum": 0.9},
        (-10.7874537, -10.7890934, -10.9559717),
        [0.14071381, 0.1265118],
        [1.7888172, 1.682353],
    ),
    (
        (2, 2, 3, 2),
        {"momentum": 0.8},
        (-4.3362791, -4.3369675, -3.8313453),
        [0.18221834, 0.27308362],
        [2.4373217, 2.4419382],
    ),
    (
        (1, 3),
        {},
        (-0.8300329, -0.8300328, -2.6805381),
        [-0.040319964, -0.025230855, -0.005373417],
        [0.9801, 0.9801, 0.9801],
    ),
]


@pytest.mark.parametrize(("shape", "arguments", "sums", "mean", "variance"), FROM_KERAS)
def test_keras_figures(shape, arguments, sums, mean, variance):
    module, x = layer(*shape[1:], **arguments).double(), ramp(shape)
    channels = len(module.gamma)
    module.gamma.data = torch.linspace(0.5, 1.5, channels, dtype=torch.float64)
    module.beta.data = torch.linspace(-1, 1, channels, dtype=torch.float64)
    received = [weighed(module(x)), weighed(module(2 * x + 1)), weighed(module.eval()(x))]
    assert received == pytest.approx(sums, abs=5e-5)
    assert module.moving_mean.tolist() == pytest.approx(mean, rel=1e-4)
    assert module.moving_variance.tolist() == pytest.approx(variance, rel=1e-5)


def test_four_numbers_per_channel_two_of_them_learned():
    module = layer(8, 8, 32)
    assert {name: tuple(t.shape) for name, t in module.state_dict().items()} == dict.fromkeys(
        ["gamma", "beta", "moving_mean", "moving_variance"], (32,)
    )
    assert sum(p.numel() for p in module.parameters()) == 64
    bare = layer(8, 8, 32, center=False, scale=False)
    assert list(bare.state_dict()) == ["moving_mean", "moving_variance"]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", [(7, 3), (5, 6, 3), (4, 5, 6, 3), (2, 3, 4, 5, 3)])
def test_outputs_and_gradients_are_torchs(shape, training):
    module = layer(*shape[1:]).double().train(training)
    ours = drawn(*shape).requires_grad_()
    theirs = ours.detach().clone().requires_grad_()
    gamma, beta = (p.detach().clone().requires_grad_() for p in (module.gamma, module.beta))
    mean, variance = module.moving_mean.clone(), module.moving_variance.clone()
    expected = F.batch_norm(theirs.movedim(-1, 1), mean, variance, gamma, beta, training, 0.01, 1e-3).movedim(1, -1)
    y = module(ours)
    torch.testing.assert_close(y, expected)
    assert y.is_contiguous()
    (y**3).sum().backward()
    (expected**3).sum().backward()
    for a, b in [(ours, theirs), (module.gamma, gamma), (module.beta, beta)]:
        torch.testing.assert_close(a.grad, b.grad)
    torch.testing.assert_close(module.moving_mean, mean)


def test_the_moving_variance_divides_by_the_number_of_rows():
    module = layer(3, momentum=0.0)
    x = drawn(5, 3, dtype=torch.float32)
    module(x)
    torch.testing.assert_close(module.moving_variance, x.var(0, unbiased=False))
    assert not torch.allclose(module.moving_variance, x.var(0), rtol=0.1)


def test_evaluation_changes_nothing_and_any_length_is_taken():
    module = layer(4, 3).eval()
    before = copy.deepcopy(module.state_dict())
    assert module(torch.randn(2, 9, 3)).shape == (2, 9, 3)
    assert module(torch.randn(2, 3, 4).transpose(1, 2)).shape == (2, 4, 3)  # not contiguous
    assert all(torch.equal(t, module.state_dict()[name]) for name, t in before.items())


def test_channels_that_do_not_vary():
    module = layer(3)
    y = module(torch.full((4, 3), 1e3))
    assert y.abs().max() < 1e-2
    module(torch.full((1, 3), 5.0))
    assert module.moving_variance.tolist() == pytest.approx([0.9801] * 3)


def test_rows_feel_each_other():
    assert mixes_rows(layer(3))


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize(("shape", "axis"), [((5, 3), -1), ((4, 6, 3), -1), ((4, 3, 6), 1), ((2, 4, 4, 3), -1)])
def test_stack_equals_layers_alone_with_gradients(shape, axis, shared):
    modules = [layer(*shape[1:], axis=axis).double() for _ in range(3)]
    for k, module in enumerate(modules):
        module.gamma.data += k
        module.moving_mean += k
    params, buffers = stack_module_state(modules)
    shell = copy.deepcopy(modules[0]).to("meta")
    x = drawn(*shape) if shared else drawn(3, *shape)
    call = torch.vmap(lambda p, b, x: functional_call(shell, (p, b), (x,)), in_dims=(0, 0, None if shared else 0))
    for _ in range(2):
        (call(params, buffers, x) ** 3).sum().backward()
        for k, module in enumerate(modules):
            (module(x if shared else x[k]) ** 3).sum().backward()
    for name, p in params.items():
        torch.testing.assert_close(p.grad, torch.stack([m.get_parameter(name).grad for m in modules]))
    for name, b in buffers.items():
        torch.testing.assert_close(b, torch.stack([m.get_buffer(name) for m in modules]))


@pytest.mark.parametrize("models", [1, 2])
def test_traced_update_moves_the_averages(models):
    modules = [layer(4, 4, 3).double() for _ in range(models)]
    params, buffers = stack_module_state(modules)
    shell = copy.deepcopy(modules[0]).to("meta")
    names, x = [*params, *buffers], drawn(models, 5, 4, 4, 3)

    def update(*tensors):
        given = dict(zip(names, tensors[:-1], strict=True))

        def total(weights, others):
            one = torch.vmap(lambda p, b, x: (functional_call(shell, (p, b), (x,)) ** 3).sum())
            return one(weights, others, tensors[-1]).sum()

        gradients = torch.func.grad(total)({n: given[n] for n in params}, {n: given[n] for n in buffers})
        return tuple(gradients.values())

    inputs = [*(t.detach().clone() for t in (*params.values(), *buffers.values())), x]
    graph = trace(update, inputs)
    received = graph(*inputs)
    for k, module in enumerate(modules):
        (module(x[k]) ** 3).sum().backward()
    for name, gradient in zip(params, received, strict=True):
        torch.testing.assert_close(gradient, torch.stack([m.get_parameter(name).grad for m in modules]))
    for name, moved in zip(names, inputs, strict=False):
        if name in buffers:
            torch.testing.assert_close(moved, torch.stack([m.get_buffer(name) for m in modules]))


@pytest.mark.parametrize(
    ("inputs", "axis", "said"),
    [
        (TensorSpec((4, 3)), 0, r"has no axis 0 in its input \(4, 3\)"),
        (TensorSpec((4, 3)), 3, "has no axis 3"),
        (TensorSpec((4, 3)), -3, "has no axis -3"),
        (TensorSpec(()), -1, "has no axis -1"),
        (TensorSpec((4, 3), masked=True), -1, "can't read a masked sequence"),
        (TensorSpec((4,), "tokens", 9), -1, "can't read tokens"),
    ],
)
def test_errors(inputs, axis, said):
    with pytest.raises(ConfigError, match=f"layer batch_normalization {said}"):
        batch_normalization.build(inputs, axis=axis)


@pytest.mark.gpu
def test_cuda_equals_cpu():
    here, x = layer(4, 4, 3), drawn(8, 4, 4, 3, dtype=torch.float32)
    there = copy.deepcopy(here).cuda()
    torch.testing.assert_close(there(x.cuda()).cpu(), here(x), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(there.moving_variance.cpu(), here.moving_variance, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(there.eval()(x.cuda()).cpu(), here.eval()(x), rtol=1e-4, atol=1e-5)
