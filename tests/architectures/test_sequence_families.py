"""architecture=recurrent and conv1d: the book's sizes, and that they are the lists of layers that they stand for."""

from __future__ import annotations

import pytest
import torch

from dlrun.architectures import conv1d, graph, recurrent
from dlrun.contracts import DataSpec, InputSpec, TargetSpec
from dlrun.errors import ConfigError
from dlrun.seeds import seeded

WEATHER = DataSpec({"x": InputSpec((24, 14))}, {"y": TargetSpec("regression")})


def made(module, **arguments):
    with seeded(1):
        return module.build(WEATHER, **arguments)


def parameters(model) -> int:
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize(
    ("module", "arguments", "count"),
    [
        (recurrent, {"units": [32]}, 4_545),
        (recurrent, {"units": [32], "dropout": 0.2, "recurrent_dropout": 0.2}, 4_545),
        (recurrent, {"units": [32, 64], "activation": ["tanh", "relu"], "dropout": 0.1}, 23_201),
        (recurrent, {"units": [32], "bidirectional": True}, 9_089),
        (recurrent, {"units": [32], "reversed": True}, 4_545),
        (recurrent, {"units": [32], "cell": "simple_rnn"}, 14 * 32 + 32 * 32 + 32 + 33),
        (recurrent, {"units": [32], "cell": "lstm"}, 4 * (14 * 32 + 32 * 32 + 32) + 33),
        (conv1d, {"filters": [32, 32], "pool_size": 2}, (14 * 5 + 1) * 32 + (32 * 5 + 1) * 32 + 33),
        (conv1d, {"filters": [32, 32, 32], "kernel_size": [5, 1, 1]}, (14 * 5 + 1) * 32 + 2 * 33 * 32 + 33),
    ],
)
def test_the_book_s_numbers_of_parameters(module, arguments, count):
    assert parameters(made(module, **arguments)) == count


def test_the_book_s_convolutions_have_12609():
    long = DataSpec({"x": InputSpec((240, 14))}, WEATHER.targets)
    assert parameters(conv1d.build(long, filters=[32, 32, 32])) == 12_609


@pytest.mark.parametrize("units", [[4], [4, 3]])
@pytest.mark.parametrize("cell", ["simple_rnn", "lstm", "gru"])
def test_reversed_is_the_same_net_on_a_sequence_turned_round(cell, units):
    x = torch.randn(5, 24, 14)
    ahead, back = (made(recurrent, cell=cell, units=units, reversed=way) for way in (False, True))
    torch.testing.assert_close(back({"x": x})["y"], ahead({"x": x.flip(1)})["y"])
    assert not torch.allclose(back({"x": x})["y"], ahead({"x": x})["y"])


def test_a_family_is_its_list_of_layers():
    x = torch.randn(5, 24, 14)
    layers = [
        {"name": "conv1d", "filters": 4, "kernel_size": 3, "activation": "relu"},
        {"name": "max_pooling1d", "pool_size": 2},
        {"name": "conv1d", "filters": 3, "kernel_size": 5, "activation": "relu"},
        "global_average_pooling1d",
        {"name": "dropout", "rate": 0.5},
        "output",
    ]
    given = {"filters": [4, 3], "kernel_size": [3, 5], "pool_size": 2, "pooling": "average", "dropout": 0.5}
    family, written_out = (m.eval() for m in (made(conv1d, **given), made(graph, layers=layers)))
    assert torch.equal(family({"x": x})["y"], written_out({"x": x})["y"])
    layers = [
        {"name": "bidirectional", "layer": {"name": "lstm", "units": 4, "return_sequences": True, "dropout": 0.2}},
        {"name": "bidirectional", "layer": {"name": "lstm", "units": 3, "recurrent_dropout": 0.1}},
        "output",
    ]
    given = {"cell": "lstm", "units": [4, 3], "dropout": [0.2, 0.0], "recurrent_dropout": [0.0, 0.1]}
    family, written_out = made(recurrent, **given, bidirectional=True), made(graph, layers=layers)
    assert torch.equal(family({"x": x})["y"], written_out({"x": x})["y"])


@pytest.mark.parametrize(
    ("module", "arguments", "paths"),
    [
        (recurrent, {"units": [3, 3], "dropout": [0.1], "activation": ["tanh"] * 3}, ["dropout", "activation"]),
        (recurrent, {"units": []}, ["units"]),
        (recurrent, {"units": [3], "reversed": True, "bidirectional": True}, ["reversed"]),
        (conv1d, {"filters": [3, 3], "kernel_size": [5]}, ["kernel_size"]),
        (conv1d, {"filters": []}, ["filters"]),
    ],
)
def test_what_does_not_fit_is_said_at_once(module, arguments, paths):
    with pytest.raises(ConfigError) as error:
        made(module, **arguments)
    assert {p.path for p in error.value.problems} == {f"architecture.{path}" for path in paths}


def test_other_data_are_refused():
    two = DataSpec({"x": InputSpec((24, 14)), "z": InputSpec((3,))}, WEATHER.targets)
    flat = DataSpec({"x": InputSpec((24,))}, WEATHER.targets)
    for build in (lambda s: recurrent.build(s, units=[2]), lambda s: conv1d.build(s, filters=[2])):
        with pytest.raises(ConfigError, match="reads exactly one input"):
            build(two)
        with pytest.raises(ConfigError, match=r"expects \(steps, channels\), received \(24,\)"):
            build(flat)
