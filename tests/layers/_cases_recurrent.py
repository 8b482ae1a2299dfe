"""Sequences: inputs, arguments, and the shape that comes out."""

from dlrun.layers._spec import TensorSpec

STEPS = TensorSpec((5, 3))
MASKED = TensorSpec((5, 3), masked=True)
TOKENS = TensorSpec((5,), "tokens", vocabulary=9)


def sequence(*shape):
    return TensorSpec(shape, masked=True)


CASES = {
    "embedding": [
        (TOKENS, {"output_dim": 4}, (5, 4)),
        (TOKENS, {"output_dim": 4, "input_dim": 12, "mask_zero": True, "l2": 0.1}, sequence(5, 4)),
    ],
    "masking": [(STEPS, {}, sequence(5, 3)), (STEPS, {"mask_value": -1.0}, sequence(5, 3))],
    "simple_rnn": [
        (STEPS, {"units": 4}, (4,)),
        (MASKED, {"units": 4, "return_sequences": True, "dropout": 0.3, "recurrent_dropout": 0.4}, sequence(5, 4)),
        (STEPS, {"units": 4, "implementation": "torch", "activation": "relu"}, (4,)),
    ],
    "lstm": [
        (STEPS, {"units": 4, "return_sequences": True, "l1": 0.1}, (5, 4)),
        (MASKED, {"units": 4, "dropout": 0.3, "recurrent_dropout": 0.4, "go_backwards": True}, (4,)),
        (MASKED, {"units": 1, "recurrent_activation": "sigmoid", "return_sequences": True}, sequence(5, 1)),
        (STEPS, {"units": 4, "implementation": "torch", "recurrent_activation": "sigmoid"}, (4,)),
    ],
    "gru": [
        (STEPS, {"units": 4, "use_bias": False}, (4,)),
        (STEPS, {"units": 4, "reset_after": True, "dropout": 0.3, "return_sequences": True}, (5, 4)),
        (MASKED, {"units": 4, "recurrent_dropout": 0.4, "activation": "relu", "go_backwards": True}, (4,)),
        (
            MASKED,
            {"units": 4, "recurrent_dropout": 0.4, "reset_after": True, "return_sequences": True},
            sequence(5, 4),
        ),
    ],
    "bidirectional": [
        (STEPS, {"layer": {"name": "lstm", "units": 4}}, (8,)),
        (MASKED, {"layer": {"name": "gru", "units": 4, "return_sequences": True, "dropout": 0.2}}, sequence(5, 8)),
        (STEPS, {"layer": {"name": "simple_rnn", "units": 4, "return_sequences": True}, "merge_mode": "ave"}, (5, 4)),
    ],
    "time_distributed": [
        (TensorSpec((5, 2, 3)), {"layer": {"name": "dense", "units": 4}}, (5, 2, 4)),
        (MASKED, {"layer": {"name": "dropout", "rate": 0.3}}, MASKED),
        (TensorSpec((5, 2, 3)), {"layer": {"name": "lstm", "units": 4}}, (5, 4)),
    ],
}
