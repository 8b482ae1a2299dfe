"""Layers on their own: inputs, arguments, and the shape that comes out."""

from dlrun.layers._spec import TensorSpec

MASKED = TensorSpec((4, 5), masked=True)

CASES = {
    "activation": [
        (TensorSpec((5,)), {"activation": "softmax"}, (5,)),
        (MASKED, {"activation": "relu"}, MASKED),
    ],
    "dense": [
        (TensorSpec((5,)), {"units": 3, "activation": "tanh"}, (3,)),
        (TensorSpec((4, 5)), {"units": 3, "use_bias": False, "l1": 0.1}, (4, 3)),
        (MASKED, {"units": 3}, TensorSpec((4, 3), masked=True)),
    ],
    "dropout": [
        (TensorSpec((5,)), {"rate": 0.4}, (5,)),
        (TensorSpec((2, 3, 4)), {"rate": 0.0}, (2, 3, 4)),
        (MASKED, {"rate": 0.4}, MASKED),
    ],
    "normalization": [(TensorSpec((2, 3)), {}, (2, 3))],
    "flatten": [(TensorSpec((2, 3, 4)), {}, (24,)), (TensorSpec(()), {}, (1,))],
}
