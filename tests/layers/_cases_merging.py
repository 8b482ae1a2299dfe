"""Layers of several inputs: the inputs, arguments, and the shape that comes out."""

from dlrun.layers._spec import TensorSpec


def specs(*shapes):
    return [TensorSpec(shape) for shape in shapes]


PAIR, WIDE = specs((5,), (5,)), specs((3, 1, 5), (3, 4, 5))
ANY_NUMBER = [
    (PAIR, {}, (5,)),
    (specs((4, 5), (1, 5), (4, 1)), {}, (4, 5)),
    (WIDE, {}, (3, 4, 5)),
    (specs((), ()), {}, ()),
]
TWO = [(PAIR, {}, (5,)), (WIDE, {}, (3, 4, 5)), (specs((1,), (1,)), {}, (1,))]

CASES = {
    "add": ANY_NUMBER,
    "multiply": ANY_NUMBER,
    "average": ANY_NUMBER,
    "maximum": ANY_NUMBER,
    "minimum": ANY_NUMBER,
    "subtract": TWO,
    "absolute_difference": TWO,
    "concatenate": [
        (PAIR, {}, (10,)),
        (specs((4, 5), (4, 2), (4, 1)), {}, (4, 8)),
        (specs((2, 4, 5), (3, 4, 5)), {"axis": 1}, (5, 4, 5)),
        (specs((4, 5), (2, 5)), {"axis": -2}, (6, 5)),
    ],
    "dot": [
        (PAIR, {"axes": 1}, (1,)),
        (PAIR, {"axes": -1, "normalize": True}, (1,)),
        (specs((4, 5), (3, 5)), {"axes": 2}, (4, 3)),
        (specs((4, 5), (4,)), {"axes": 1}, (5,)),
        (specs((5,), (4, 5)), {"axes": [1, 2]}, (4,)),
        (specs((2, 3, 5), (5, 4)), {"axes": [3, 1], "normalize": True}, (2, 3, 4)),
    ],
}
