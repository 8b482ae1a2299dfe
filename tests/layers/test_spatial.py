"""Convolutions, pooling, margins and upsampling against numpy, against torch's own modules, and against Keras."""

from __future__ import annotations

import copy

import _windows_by_numpy as by_numpy
import numpy as np
import pytest
import torch
from _cases_spatial import INPUTS, PICTURE, SEQUENCE
from test_layer_contracts import make

from dlrun.compiler import trace
from dlrun.errors import ConfigError
from dlrun.layers._initializers import initial
from dlrun.layers._spec import TensorSpec


def sizes(axes, n):
    """Sizes of which one is n and the others differ from it."""
    return {1: (n,), 2: (n, 10 - n), 3: (n, 10 - n, 5)}[axes]


def turned(axes, k, most):
    """A number for each axis."""
    return [k, most + 1 - k, 2][:axes]


def built(name, shape, **arguments):
    """The layer in float64 with weights that are all drawn."""
    layer = make(name, TensorSpec(shape), arguments).double()
    for p in layer.parameters():
        torch.nn.init.normal_(p)
    return layer


def refused(name, shape, **arguments):
    with pytest.raises(ConfigError, match="expects at least"):
        make(name, TensorSpec(shape), arguments)


def keras_layout(kernel):
    axes = kernel.ndim - 2
    return kernel.detach().numpy().transpose(*range(2, axes + 2), 1, 0)


def compare(layer, x, expected):
    found = layer(torch.from_numpy(x)).detach().numpy()
    assert found.shape == (len(x), *layer.output.shape)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("padding", ["valid", "same", "causal"])
@pytest.mark.parametrize("dilation", [1, 2, 3])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_convolutions_are_those_of_numpy(k, stride, dilation, padding):
    random = np.random.default_rng(k)
    for axes in (1, 2, 3) if padding != "causal" else (1,):
        window, strides, places = turned(axes, k, 4), turned(axes, stride, 3), turned(axes, dilation, 3)
        for n in range(1, 10) if axes < 3 else (2, 5, 8):
            x = random.normal(size=(2, *sizes(axes, n), 4))
            arguments = {"kernel_size": window, "strides": strides, "padding": padding, "dilation_rate": places}
            if by_numpy.patches(x, window, strides, places, padding, 0.0) is None:
                refused(f"conv{axes}d", x.shape[1:], filters=2, **arguments)
                continue
            for groups in (1, 2):
                layer = built(f"conv{axes}d", x.shape[1:], filters=2, groups=groups, **arguments)
                kernel, bias = keras_layout(layer.kernel), layer.bias.detach().numpy()
                compare(layer, x, by_numpy.convolution(x, kernel, bias, strides, places, padding, groups))


@pytest.mark.parametrize("kind", ["max", "average"])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_pooling_is_that_of_numpy(k, stride, padding, kind):
    random = np.random.default_rng(k)
    for axes in (1, 2, 3):
        window, strides = turned(axes, k, 4), turned(axes, stride, 3)
        for n in range(1, 10):
            x = random.normal(size=(2, *sizes(axes, n), 3)) - 5.0  # a zero beyond the edge would be the largest
            expected = by_numpy.pooling(x, kind, window, strides, padding)
            arguments = {"pool_size": window, "strides": strides, "padding": padding}
            if expected is None:
                refused(f"{kind}_pooling{axes}d", x.shape[1:], **arguments)
            else:
                compare(built(f"{kind}_pooling{axes}d", x.shape[1:], **arguments), x, expected)


def test_pooling_strides_are_the_window_unless_given():
    layer = make("max_pooling2d", TensorSpec((9, 9, 1)), {"pool_size": [3, 2]})
    assert layer.output.shape == (3, 4, 1)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
def test_transposed_convolutions_are_the_adjoints_of_numpys(k, stride, padding):
    random = np.random.default_rng(k)
    for axes in (1, 2, 3):
        window, strides = turned(axes, k, 5), turned(axes, stride, 3)
        for n in (1, 2, 5) if axes < 3 else (2,):
            x = random.normal(size=(2, *[n, 3, 2][:axes], 4))
            layer = built(
                f"conv{axes}d_transpose", x.shape[1:], filters=3, kernel_size=window, strides=strides, padding=padding
            )
            steps = zip(x.shape[1:], window, strides, strict=False)
            wanted = [m * s + (max(w - s, 0) if padding == "valid" else 0) for m, w, s in steps]
            assert layer.output.shape == (*wanted, 3)
            y = layer(torch.from_numpy(x)).detach().numpy() - layer.bias.detach().numpy()
            probe = random.normal(size=y.shape)
            # [channels, filters, *window] of the layer is the kernel of a convolution from 3 to 4 channels.
            back = by_numpy.convolution(probe, keras_layout(layer.kernel), 0.0, strides, [1] * axes, padding)
            assert back.shape == x.shape
            assert (probe * y).sum() == pytest.approx((back * x).sum(), rel=1e-9)


@pytest.mark.parametrize("multiplier", [1, 3])
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_separable_convolutions_by_channel(axes, multiplier):
    arguments = {"filters": 5, "kernel_size": 2, "strides": 2, "padding": "same", "depth_multiplier": multiplier}
    shape = INPUTS[axes].shape
    layer = built(f"separable_conv{axes}d", shape, **arguments)
    x = np.random.default_rng(0).normal(size=(2, *shape))
    kernels = layer.depthwise.kernel.detach().numpy().reshape(shape[-1], multiplier, *[2] * axes)
    each = [
        by_numpy.convolution(
            x[..., c : c + 1], np.moveaxis(kernels[c], 0, -1)[..., None, :], 0.0, [2] * axes, [1] * axes, "same"
        )
        for c in range(shape[-1])
    ]
    pointwise = layer.pointwise.kernel.detach().numpy().reshape(5, -1)
    compare(layer, x, np.concatenate(each, -1) @ pointwise.T + layer.pointwise.bias.detach().numpy())
    if axes == 2:
        alone = built("depthwise_conv2d", shape, **{k: v for k, v in arguments.items() if k != "filters"})
        alone.kernel, alone.bias = layer.depthwise.kernel, torch.nn.Parameter(torch.zeros(alone.bias.shape).double())
        compare(alone, x, np.concatenate(each, -1))


@pytest.mark.parametrize(
    ("name", "shape", "arguments", "count"),
    [
        ("conv2d", (28, 28, 1), {"filters": 32, "kernel_size": 3}, 320),
        ("conv2d", (13, 13, 32), {"filters": 64, "kernel_size": [3, 3]}, 18_496),
        ("separable_conv2d", (64, 64, 3), {"filters": 32, "kernel_size": 3}, 155),
        ("separable_conv2d", (62, 62, 32), {"filters": 64, "kernel_size": 3}, 2_400),
        ("conv1d", (500, 128), {"filters": 32, "kernel_size": 7}, 28_704),
        ("conv2d_transpose", (16, 16, 256), {"filters": 256, "kernel_size": 4, "strides": 2}, 1_048_832),
    ],
)
def test_parameter_counts_of_the_book(name, shape, arguments, count):
    layer = make(name, TensorSpec(shape), arguments)
    assert sum(p.numel() for p in layer.parameters()) == count


def whole(shape, step, modulus):
    """Whole numbers on both sides of 0."""
    return (np.arange(int(np.prod(shape))) * step % modulus - modulus // 2).reshape(shape).astype(float)


SAME = {"padding": "same"}
OF_KERAS = [
    ("conv1d", (5, 2), {"filters": 2, "kernel_size": 3, "padding": "causal", "dilation_rate": 2}, [(3, 2, 2)],
     [-17, 8, -17, 17, -12, -18, -6, -15, 4, 7]),
    ("conv2d", (4, 3, 2), {"filters": 2, "kernel_size": [3, 2], "strides": 2, **SAME}, [(3, 2, 2, 2)],
     [-13, -40, 14, 5, 19, -5, -8, -6]),
    ("conv2d", (4, 3, 4), {"filters": 2, "kernel_size": 2, "groups": 2}, [(2, 2, 2, 2)],
     [11, -13, -29, 21, -32, 23, 38, 2, 35, 4, -16, 5]),
    ("conv3d", (3, 2, 3, 2), {"filters": 1, "kernel_size": 2, "strides": 2, **SAME}, [(2, 2, 2, 2, 1)],
     [3, -33, 26, -11]),
    ("separable_conv1d", (5, 2), {"filters": 2, "kernel_size": 3, "strides": 2, "depth_multiplier": 2, **SAME},
     [(3, 2, 2), (1, 4, 2)], [9, -65, -44, 48, 69, -30]),
    ("separable_conv2d", (3, 3, 2), {"filters": 2, "kernel_size": 2, "depth_multiplier": 2, **SAME},
     [(2, 2, 2, 2), (1, 1, 4, 2)],
     [-71, 69, 35, 24, 51, 25, 49, 11, -98, -23, -40, -74, -34, -2, 71, -22, -22, 56]),
    ("depthwise_conv2d", (3, 3, 2), {"kernel_size": 2, "depth_multiplier": 2}, [(2, 2, 2, 2)],
     [10, -6, -14, -15, -3, 0, 12, -4, -18, 1, -2, -15, 13, -4, -9, 18]),
    ("conv1d_transpose", (3, 2), {"filters": 2, "kernel_size": 3, "strides": 2, **SAME}, [(3, 2, 2)],
     [16, -2, -16, 1, 3, 8, -4, -11, -16, 27, -3, 10]),
    ("conv1d_transpose", (3, 2), {"filters": 2, "kernel_size": 3, "strides": 2}, [(3, 2, 2)],
     [16, -2, -16, 1, 3, 8, -4, -11, -16, 27, -3, 10, -1, -9]),
    ("conv2d_transpose", (2, 2, 2), {"filters": 1, "kernel_size": [2, 4], "strides": [3, 1], **SAME}, [(2, 4, 1, 2)],
     [9, -26, 9, 9, -3, -3, -9, -3, -6, -7, -3, -3]),
    ("conv2d_transpose", (2, 2, 2), {"filters": 1, "kernel_size": [2, 4], "strides": [3, 1]}, [(2, 4, 1, 2)],
     [16, 9, -26, -5, -16, -13, 9, 9, 9, 13, -3, -3, -3, -3, -3, -12, -9, -3, 17, -7, -1, -6, -7, -8, -15,
      -3, -3, -3, -3, -3]),
    ("conv3d_transpose", (2, 1, 2, 2), {"filters": 1, "kernel_size": 2, "strides": [1, 2, 1], **SAME},
     [(2, 2, 2, 1, 2)], [16, 9, -16, -5, -22, 3, -10, 29]),
    ("max_pooling2d", (5, 4, 1), {"strides": [2, 1], **SAME}, [], [2, 4, 5, 5, 3, 5, 5, 1, 4, 4, 0, -4]),
    ("average_pooling1d", (6, 1), {"pool_size": 4, "strides": 1, **SAME}, [], [-5 / 3, 0, 1.5, 0.25, 1, -1]),
    ("average_pooling2d", (5, 4, 1), {"pool_size": [2, 3], **SAME}, [], [-1.25, 1.75, -0.25, 0, 0.5, -2]),
    ("upsampling2d", (2, 2, 1), {"interpolation": "bilinear"}, [],
     [-5, -3.25, 0.25, 2, -4.25, -2.5, 1, 2.75, -2.75, -1, 2.5, 4.25, -2, -0.25, 3.25, 5]),
    ("upsampling2d", (2, 2, 1), {"size": [1, 3]}, [], [-5, -5, -5, 2, 2, 2, -2, -2, -2, 5, 5, 5]),
]  # fmt: skip
"""Layer, inputs, arguments, Keras's kernels, and what Keras 3.15 gives for the whole numbers of `whole`."""


@pytest.mark.parametrize(("name", "shape", "arguments", "kernels", "figures"), OF_KERAS)
def test_figures_of_keras(name, shape, arguments, kernels, figures):
    layer = make(name, TensorSpec(shape), arguments).double()
    weights = [whole(k, 5, 7) for k in kernels]
    depthwise = name.startswith(("separable", "depthwise"))
    with torch.no_grad():
        for i, weight in enumerate(weights):
            laid = by_numpy.depthwise_layout if depthwise and i == 0 else by_numpy.torch_layout
            part = [layer.depthwise, layer.pointwise][i] if len(weights) == 2 else layer
            part.kernel.copy_(torch.from_numpy(laid(weight)))
        last = getattr(layer, "pointwise", layer)
        if kernels:
            last.bias.copy_(torch.from_numpy(whole(last.bias.shape, 5, 7)))
    found = layer(torch.from_numpy(whole((1, *shape), 7, 11))).detach().flatten()
    np.testing.assert_allclose(found.numpy(), figures, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_checkpoints_of_torch_load(axes):
    inputs = INPUTS[axes]
    x = torch.randn(2, *inputs.shape)
    for name, theirs in ((f"conv{axes}d", f"Conv{axes}d"), (f"conv{axes}d_transpose", f"ConvTranspose{axes}d")):
        module = getattr(torch.nn, theirs)(4, 6, 3, stride=2)
        layer = make(name, inputs, {"filters": 6, "kernel_size": 3, "strides": 2})
        state = {k.replace("weight", "kernel"): v for k, v in module.state_dict().items()}
        layer.load_state_dict(state)
        torch.testing.assert_close(layer(x), module(x.movedim(-1, 1)).movedim(1, -1), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("stride", [1, 2])
def test_padding_of_torch_is_zero_padding_before_valid(stride):
    module = torch.nn.Conv2d(4, 3, 3, stride=stride, padding=1)
    around = make("zero_padding2d", PICTURE, {})
    layer = make("conv2d", around.output, {"filters": 3, "kernel_size": 3, "strides": stride})
    layer.load_state_dict({"kernel": module.weight, "bias": module.bias})
    x = torch.randn(2, *PICTURE.shape)
    torch.testing.assert_close(layer(around(x)), module(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1))


@pytest.mark.parametrize("name", ["glorot_uniform", "he_normal", "truncated_normal", "orthogonal"])
def test_initial_weights_are_drawn_in_keras_layout(name):
    def drawn(shape):
        torch.manual_seed(3)
        return initial(name, shape).numpy()

    def layer(kind, arguments):
        torch.manual_seed(3)
        return make(kind, PICTURE, {"kernel_size": [3, 2], **arguments})

    plain = layer("conv2d", {"filters": 6, "groups": 2, "kernel_initializer": name}).kernel
    assert np.array_equal(plain.detach(), by_numpy.torch_layout(drawn((3, 2, 2, 6))))
    back = layer("conv2d_transpose", {"filters": 6, "kernel_initializer": name}).kernel
    assert np.array_equal(back.detach(), by_numpy.torch_layout(drawn((3, 2, 6, 4))))
    each = layer("depthwise_conv2d", {"depth_multiplier": 3, "depthwise_initializer": name}).kernel
    assert np.array_equal(each.detach(), by_numpy.depthwise_layout(drawn((3, 2, 4, 3))))


def test_causal_results_know_nothing_later():
    layer = built("conv1d", (9, 2), filters=3, kernel_size=3, dilation_rate=2, padding="causal")
    x = torch.randn(1, 9, 2, dtype=torch.float64)
    later = x.clone()
    later[:, 5:] += 1.0
    torch.testing.assert_close(layer(x)[:, :5], layer(later)[:, :5], rtol=0, atol=0)


def test_a_layer_reads_other_sizes_than_it_was_built_for():
    for name, arguments, expected in (
        ("conv1d", {"filters": 2, "kernel_size": 2, "strides": 2, "padding": "same"}, (6, 2)),
        ("max_pooling1d", {"padding": "same"}, (6, 4)),
        ("conv1d_transpose", {"filters": 2, "kernel_size": 3, "strides": 2, "padding": "same"}, (22, 2)),
        ("cropping1d", {}, (9, 4)),
        ("upsampling1d", {}, (22, 4)),
    ):
        assert make(name, SEQUENCE, arguments)(torch.randn(3, 11, 4)).shape == (3, *expected)


def test_penalties_are_of_kernels_only_and_of_nothing_else():
    ones = {"l1": 0.1, "l2": 0.01, "bias_initializer": "ones"}
    plain = make("conv2d", PICTURE, {"filters": 3, "kernel_size": 2, "kernel_initializer": "ones", **ones})
    assert plain.penalty().item() == pytest.approx(0.11 * 2 * 2 * 4 * 3)
    both = {"depthwise_initializer": "ones", "pointwise_initializer": "ones"}
    parts = make("separable_conv2d", PICTURE, {"filters": 3, "kernel_size": 2, **both, **ones})
    assert not hasattr(parts, "penalty")  # `Objective` asks every module, and would count it twice
    found = [m.penalty().item() for m in parts.modules() if hasattr(m, "penalty")]
    assert found == pytest.approx([0.11 * 2 * 2 * 4, 0.11 * 4 * 3])
    assert not hasattr(make("conv2d", PICTURE, {"filters": 3, "kernel_size": 2}), "penalty")


def test_equal_largest_values():
    """A window's first gets the gradient, all of a whole channel share it, as in TensorFlow."""
    x = torch.ones(1, 4, 1, requires_grad=True)
    make("max_pooling1d", TensorSpec((4, 1)), {})(x).sum().backward()
    assert x.grad.flatten().tolist() == [1.0, 0.0, 1.0, 0.0]
    x.grad = None
    make("global_max_pooling1d", TensorSpec((4, 1)), {})(x).sum().backward()
    assert x.grad.flatten().tolist() == [0.25] * 4


def test_global_pooling_by_numpy():
    for axes, inputs in INPUTS.items():
        x = np.random.default_rng(0).normal(size=(2, *inputs.shape))
        places = tuple(range(1, axes + 1))
        compare(make(f"global_max_pooling{axes}d", inputs, {}), x, x.max(places))
        compare(make(f"global_average_pooling{axes}d", inputs, {}), x, x.mean(places))


def test_margins_by_numpy():
    for axes, inputs in INPUTS.items():
        x = np.random.default_rng(0).normal(size=(2, *inputs.shape))
        edges = [[1, 0], [0, 2], [2, 1]][:axes]
        padded = np.pad(x, [(0, 0), *map(tuple, edges), (0, 0)])
        argument = edges if axes > 1 else edges[0]
        outer = make(f"zero_padding{axes}d", inputs, {"padding": argument})
        compare(outer, x, padded)
        compare(make(f"cropping{axes}d", outer.output, {"cropping": argument}), padded, x)


@pytest.mark.parametrize("factor", [1, 2, 41])
def test_upsampling_repeats(factor):
    for axes, inputs in INPUTS.items():
        x = np.random.default_rng(0).normal(size=(2, *inputs.shape))
        compare(make(f"upsampling{axes}d", inputs, {"size": [factor, 1, 2][:axes]}), x,
                np.kron(x, np.ones((1, *[factor, 1, 2][:axes], 1))))  # fmt: skip


def test_a_model_of_these_layers_can_be_traced():
    shape = TensorSpec((6, 7, 2))
    layers = []
    for name, arguments in (
        ("conv2d", {"filters": 4, "kernel_size": 2, "padding": "same", "activation": "relu"}),
        ("max_pooling2d", {"padding": "same"}),
        ("separable_conv2d", {"filters": 3, "kernel_size": 3, "padding": "same", "l2": 0.1}),
        ("upsampling2d", {}),
        ("conv2d_transpose", {"filters": 2, "kernel_size": 3, "strides": 2, "padding": "same"}),
        ("average_pooling2d", {"padding": "same"}),
        ("cropping2d", {"cropping": 1}),
        ("global_max_pooling2d", {}),
    ):
        layers.append(make(name, shape, arguments))
        shape = layers[-1].output
    models = [torch.nn.Sequential(*layers), copy.deepcopy(torch.nn.Sequential(*layers))]
    weights, _ = torch.func.stack_module_state(models)
    names = list(weights)

    def gradients(x, *weights):
        def loss(named):
            outputs = torch.vmap(lambda p: torch.func.functional_call(models[0], p, (x,)))(named)
            return outputs.square().mean()

        return list(torch.func.grad(loss)(dict(zip(names, weights, strict=True))).values())

    inputs = [torch.randn(5, 6, 7, 2), *(w.detach() for w in weights.values())]
    for ours, eager in zip(trace(gradients, inputs)(*inputs), gradients(*inputs), strict=True):
        torch.testing.assert_close(ours, eager)


@pytest.mark.parametrize(
    ("name", "inputs", "arguments", "message"),
    [
        ("conv2d", SEQUENCE, {"filters": 1, "kernel_size": 3},
         r"layer conv2d expects \(height, width, channels\), received \(7, 4\)"),
        ("conv1d", PICTURE, {"filters": 1, "kernel_size": 3}, r"layer conv1d expects \(steps, channels\)"),
        ("conv2d", PICTURE, {"filters": 1, "kernel_size": [3]}, r"kernel_size to be a number or 2 of them, received \[3"),
        ("max_pooling3d", INPUTS[3], {"strides": [1, 2]}, "strides to be a number or 3 of them"),
        ("conv2d", PICTURE, {"filters": 1, "kernel_size": 7}, "expects at least 7 x 7 places, received 6 x 7"),
        ("conv1d", SEQUENCE, {"filters": 1, "kernel_size": 3, "dilation_rate": 4}, "at least 9 places, received 7"),
        ("average_pooling1d", SEQUENCE, {"pool_size": 8}, "layer average_pooling1d expects at least 8 places"),
        ("conv2d", PICTURE, {"filters": 3, "kernel_size": 1, "groups": 2}, "groups=2, received 4 and 3"),
        ("cropping1d", SEQUENCE, {"cropping": [4, 3]}, r"cuts \[4, 3\] off, and nothing is left of \(7, 4\)"),
        ("cropping2d", PICTURE, {"cropping": [[1], [2]]}, r"2 of them, or 2 times \[beginning, end\]; received"),
        ("zero_padding1d", SEQUENCE, {"padding": [1, 2, 3]}, r"to be a number, \[beginning, end\]; received"),
    ],
)  # fmt: skip
def test_messages(name, inputs, arguments, message):
    with pytest.raises(ConfigError, match=message):
        make(name, inputs, arguments)
