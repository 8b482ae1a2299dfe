"""Layers of sequences, pictures and volumes: inputs, arguments, and the shape that comes out."""

from dlrun.layers._spec import TensorSpec

SEQUENCE, PICTURE, VOLUME = TensorSpec((7, 4)), TensorSpec((6, 7, 4)), TensorSpec((5, 6, 7, 4))
INPUTS = {1: SEQUENCE, 2: PICTURE, 3: VOLUME}


def pooled(axes):
    """Valid and same, the windows of the second overlapping the edges of some axes by one place more at their end."""
    same = {1: (7, 4), 2: (6, 4, 4), 3: (5, 3, 4, 4)}[axes]
    strides = {1: 1, 2: [1, 2], 3: [1, 2, 2]}[axes]
    return [
        (INPUTS[axes], {}, {1: (3, 4), 2: (3, 3, 4), 3: (2, 3, 3, 4)}[axes]),
        (INPUTS[axes], {"pool_size": 2, "strides": strides, "padding": "same"}, same),
    ]


CASES = {
    "conv1d": [
        (SEQUENCE, {"filters": 3, "kernel_size": 3, "activation": "relu"}, (5, 3)),
        (SEQUENCE, {"filters": 6, "kernel_size": [2], "padding": "causal", "dilation_rate": 2, "groups": 2}, (7, 6)),
    ],
    "conv2d": [
        (PICTURE, {"filters": 3, "kernel_size": 3, "activation": "tanh"}, (4, 5, 3)),
        (PICTURE, {"filters": 2, "kernel_size": [2, 3], "strides": 2, "padding": "same", "l2": 0.1}, (3, 4, 2)),
        (PICTURE, {"filters": 2, "kernel_size": 3, "padding": "same", "groups": 2, "use_bias": False}, (6, 7, 2)),
    ],
    "conv3d": [
        (VOLUME, {"filters": 3, "kernel_size": 2}, (4, 5, 6, 3)),
        (VOLUME, {"filters": 2, "kernel_size": 3, "strides": [1, 2, 3], "padding": "same", "l1": 0.1}, (5, 3, 3, 2)),
    ],
    "separable_conv1d": [
        (SEQUENCE, {"filters": 3, "kernel_size": 3}, (5, 3)),
        (SEQUENCE, {"filters": 3, "kernel_size": 2, "padding": "same", "depth_multiplier": 2, "l2": 0.1}, (7, 3)),
    ],
    "separable_conv2d": [
        (PICTURE, {"filters": 3, "kernel_size": 3, "activation": "relu"}, (4, 5, 3)),
        (PICTURE, {"filters": 3, "kernel_size": 3, "strides": 2, "padding": "same", "l1": 0.1}, (3, 4, 3)),
    ],
    "separable_conv3d": [
        (VOLUME, {"filters": 3, "kernel_size": 2, "use_bias": False}, (4, 5, 6, 3)),
        (VOLUME, {"filters": 3, "kernel_size": 3, "padding": "same", "dilation_rate": 2}, (5, 6, 7, 3)),
    ],
    "depthwise_conv2d": [
        (PICTURE, {"kernel_size": 3}, (4, 5, 4)),
        (PICTURE, {"kernel_size": 2, "depth_multiplier": 3, "padding": "same", "l2": 0.1}, (6, 7, 12)),
    ],
    "conv1d_transpose": [
        (SEQUENCE, {"filters": 3, "kernel_size": 4, "strides": 2}, (16, 3)),
        (SEQUENCE, {"filters": 3, "kernel_size": 2, "strides": 3, "padding": "same", "l2": 0.1}, (21, 3)),
    ],
    "conv2d_transpose": [
        (PICTURE, {"filters": 3, "kernel_size": 2, "strides": 3, "activation": "relu"}, (18, 21, 3)),
        (PICTURE, {"filters": 3, "kernel_size": [3, 4], "strides": 2, "padding": "same", "l1": 0.1}, (12, 14, 3)),
    ],
    "conv3d_transpose": [
        (VOLUME, {"filters": 2, "kernel_size": 3, "use_bias": False}, (7, 8, 9, 2)),
        (VOLUME, {"filters": 2, "kernel_size": 3, "strides": [1, 2, 1], "padding": "same"}, (5, 12, 7, 2)),
    ],
    **{f"{kind}_pooling{n}d": pooled(n) for kind in ("max", "average") for n in (1, 2, 3)},
    **{
        f"global_{kind}_pooling{n}d": [(INPUTS[n], {}, (4,)), (TensorSpec((1,) * n + (2,)), {}, (2,))]
        for kind in ("max", "average")
        for n in (1, 2, 3)
    },
    "zero_padding1d": [(SEQUENCE, {}, (9, 4)), (SEQUENCE, {"padding": [0, 3]}, (10, 4))],
    "zero_padding2d": [(PICTURE, {}, (8, 9, 4)), (PICTURE, {"padding": [[0, 1], [2, 0]]}, (7, 9, 4))],
    "zero_padding3d": [(VOLUME, {}, (7, 8, 9, 4)), (VOLUME, {"padding": [0, 1, 2]}, (5, 8, 11, 4))],
    "cropping1d": [(SEQUENCE, {}, (5, 4)), (SEQUENCE, {"cropping": [0, 3]}, (4, 4))],
    "cropping2d": [(PICTURE, {}, (6, 7, 4)), (PICTURE, {"cropping": [[0, 1], [2, 0]]}, (5, 5, 4))],
    "cropping3d": [(VOLUME, {}, (3, 4, 5, 4)), (VOLUME, {"cropping": [0, 1, 2]}, (5, 4, 3, 4))],
    "upsampling1d": [(SEQUENCE, {}, (14, 4)), (SEQUENCE, {"size": 3}, (21, 4))],
    "upsampling2d": [
        (PICTURE, {"size": [1, 3]}, (6, 21, 4)),
        (PICTURE, {"interpolation": "bilinear"}, (12, 14, 4)),
    ],
    "upsampling3d": [(VOLUME, {}, (10, 12, 14, 4)), (VOLUME, {"size": [3, 1, 2]}, (15, 6, 14, 4))],
}
