"""A graph and the same model written by hand agree to the last bit: outputs, and the gradients of all weights."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from _graphs import CLASSES, NUMBER, YES, built, rows, spec
from test_stack import FLOAT64, outcome
from torch import nn

from dlrun.architectures import dense
from dlrun.contracts import InputSpec


class Dense(nn.Module):
    """With weights of those names, and Keras's arithmetic."""

    def __init__(self, width, units):
        super().__init__()
        self.kernel, self.bias = nn.Parameter(torch.empty(width, units)), nn.Parameter(torch.empty(units))

    def forward(self, x):
        return torch.addmm(self.bias, x, self.kernel) if x.ndim == 2 else x @ self.kernel + self.bias


class Conv(nn.Module):
    def __init__(self, channels, filters, size, stride=1):
        super().__init__()
        self.kernel, self.bias = (
            nn.Parameter(torch.empty(filters, channels, size, size)),
            nn.Parameter(torch.empty(filters)),
        )
        self.stride, self.padding = stride, size // 2

    def forward(self, x):
        return F.conv2d(x.permute(0, 3, 1, 2), self.kernel, self.bias, self.stride, self.padding).permute(0, 2, 3, 1)


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv_1, self.conv_2, self.conv_3 = Conv(2, 4, 3), Conv(4, 4, 3), Conv(4, 4, 3)
        self.last = Dense(4, 3)

    def forward(self, picture):
        x = torch.relu(self.conv_1(picture))
        y = torch.relu(self.conv_2(x))
        x = torch.relu(self.conv_3(y)) + x
        logits = self.last(x.mean((1, 2)))
        return {"y": logits.softmax(-1), "y_logits": logits}


class Inception(nn.Module):
    """Section 7.1.4, narrower."""

    def __init__(self):
        super().__init__()
        self.a, self.b1, self.b2 = Conv(2, 3, 1, 2), Conv(2, 3, 1), Conv(3, 3, 3, 2)
        self.c2, self.d1, self.d2, self.d3 = Conv(2, 3, 3), Conv(2, 3, 1), Conv(3, 3, 3), Conv(3, 3, 3, 2)
        self.last = Dense(12, 3)

    def forward(self, picture):
        a = torch.relu(self.a(picture))
        b = torch.relu(self.b2(torch.relu(self.b1(picture))))
        pooled = F.avg_pool2d(picture.permute(0, 3, 1, 2), 3, 2, 1, count_include_pad=False).permute(0, 2, 3, 1)
        c = torch.relu(self.c2(pooled))
        d = torch.relu(self.d3(torch.relu(self.d2(torch.relu(self.d1(picture))))))
        logits = self.last(torch.cat([a, b, c, d], -1).mean((1, 2)))
        return {"y": logits.softmax(-1), "y_logits": logits}


class TwoInputs(nn.Module):
    def __init__(self):
        super().__init__()
        self.of_x, self.of_z, self.last = Dense(5, 4), Dense(3, 2), Dense(6, 1)

    def forward(self, x, z):
        logits = self.last(torch.cat([torch.relu(self.of_x(x)), torch.tanh(self.of_z(z))], 1))[:, 0]
        return {"y": torch.sigmoid(logits), "y_logits": logits}


class Siamese(nn.Module):
    def __init__(self):
        super().__init__()
        self.both, self.last = Dense(5, 4), Dense(8, 1)

    def forward(self, x, z):
        left, right = torch.tanh(self.both(x)), torch.tanh(self.both(z))
        logits = self.last(torch.cat([left, right], 1))[:, 0]
        return {"y": torch.sigmoid(logits), "y_logits": logits}


class ThreeTargets(nn.Module):
    """Section 7.1.3, smaller."""

    def __init__(self):
        super().__init__()
        self.trunk, self.age, self.income, self.gender = Dense(5, 6), Dense(6, 1), Dense(6, 3), Dense(6, 1)

    def forward(self, x):
        x = torch.relu(self.trunk(x))
        age, income, gender = self.age(x)[:, 0], self.income(x), self.gender(x)[:, 0]
        return {"age": age, "age_logits": age, "income": income.softmax(-1), "income_logits": income,
                "gender": torch.sigmoid(gender), "gender_logits": gender}  # fmt: skip


PICTURE, PAIR = {"picture": (6, 6, 2)}, {"x": (5,), "z": (5,)}
TWINS = {
    "residual": (Residual, spec(PICTURE, {"y": CLASSES}), """
        blocks: {}
        layers:
          conv_1: {name: conv2d, filters: 4, kernel_size: 3, padding: same, activation: relu}
          conv_2: {name: conv2d, filters: 4, kernel_size: 3, padding: same, activation: relu}
          conv_3: {name: conv2d, filters: 4, kernel_size: 3, padding: same, activation: relu}
          sum: {name: add, inputs: [conv_3, conv_1]}
          mean: global_average_pooling2d
          last: output
    """),
    "inception": (Inception, spec({"picture": (7, 7, 2)}, {"y": CLASSES}), """
        blocks:
          conv:
            parameters: {size: null, strides: 1}
            layers: [{name: conv2d, filters: 3, kernel_size: $size, strides: $strides, padding: same, activation: relu}]
        layers:
          a: {name: conv, size: 1, strides: 2, inputs: picture}
          b1: {name: conv, size: 1, inputs: picture}
          b2: {name: conv, size: 3, strides: 2, inputs: b1}
          c1: {name: average_pooling2d, pool_size: 3, strides: 2, padding: same, inputs: picture}
          c2: {name: conv, size: 3, inputs: c1}
          d1: {name: conv, size: 1, inputs: picture}
          d2: {name: conv, size: 3}
          d3: {name: conv, size: 3, strides: 2}
          all: {name: concatenate, inputs: [a, b2, c2, d3]}
          mean: global_average_pooling2d
          last: output
    """),
    "two inputs": (TwoInputs, spec({"x": (5,), "z": (3,)}, {"y": YES}), """
        layers:
          of_x: {name: dense, units: 4, activation: relu, inputs: x}
          of_z: {name: dense, units: 2, activation: tanh, inputs: z}
          all: {name: concatenate, inputs: [of_x, of_z]}
          last: {name: dense, units: 1, activation: sigmoid}
    """),
    "shared": (Siamese, spec(PAIR, {"y": YES}), """
        layers:
          both: {name: dense, units: 4, activation: tanh, inputs: x}
          other: {same_as: both, inputs: z}
          all: {name: concatenate, inputs: [both, other]}
          last: output
    """),
    "three targets": (ThreeTargets, spec(None, {"age": NUMBER, "income": CLASSES, "gender": YES}), """
        layers:
          trunk: {name: dense, units: 6, activation: relu}
          age: {name: output, inputs: trunk}
          income: {name: output, inputs: trunk}
          gender: {name: output, inputs: trunk}
    """),
}  # fmt: skip


@pytest.mark.parametrize("name", TWINS)
def test_graph_and_twin(name):
    make, data, text = TWINS[name]
    model, twin = built(text, data).double(), make().double()
    named = {key.replace(".conv2d_1.", "."): tensor for key, tensor in model.named_parameters()}
    assert sorted(named) == sorted(key for key, _ in twin.named_parameters())
    twin.load_state_dict(named)
    inputs = rows(data, 8, dtype=torch.float64)
    ours, theirs = model(inputs), twin(**inputs)
    assert ours.keys() == theirs.keys()
    for key in ours:
        torch.testing.assert_close(ours[key], theirs[key], rtol=1e-14, atol=1e-14)
    for outputs in (ours, theirs):
        sum((k + 1) * outputs[key].square().sum() for k, key in enumerate(sorted(outputs))).backward()
    for key, weight in twin.named_parameters():
        torch.testing.assert_close(
            named[key].grad, weight.grad, rtol=1e-12, atol=1e-12, msg=lambda m, key=key: f"{key}: {m}"
        )


CHAINS = {
    "numbers": ({"x": (5,)}, {"units": [4, 3], "activation": "tanh", "dropout": 0.5, "l2": 0.1},
                ["dense", "dropout", "dense", "dropout"]),
    "pictures": ({"x": (3, 4)}, {"units": [4], "activation": "relu"}, ["flatten", "dense"]),
    "words": ({"x": InputSpec((9,), "multi_hot")}, {"units": [4, 2], "activation": "relu"}, ["dense", "dense"]),
    "none": ({"x": (5,)}, {"units": []}, []),
}  # fmt: skip


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("target", [YES, CLASSES, NUMBER], ids=lambda t: t.problem)
def test_chain_is_the_architecture_dense(name, target):
    inputs, arguments, kinds = CHAINS[name]
    data, units = spec(inputs, {"y": target}), iter(arguments["units"])
    layers = [
        {
            "name": kind,
            **(
                {"units": next(units), "activation": arguments["activation"], "l2": arguments.get("l2", 0.0)}
                if kind == "dense"
                else {"rate": 0.5}
                if kind == "dropout"
                else {}
            ),
        }
        for kind in kinds
    ]
    model = built({"layers": [*layers, "output"]}, data)
    torch.manual_seed(0)
    other = dense.build(data, **arguments)
    for one, two in zip(model.state_dict().values(), other.state_dict().values(), strict=True):
        torch.testing.assert_close(one, two, rtol=0, atol=0)
    given = rows(data, 6)
    for mode in (False, True):
        torch.testing.assert_close(model.train(mode)(given), other.train(mode)(given), rtol=0, atol=0)


GRAPH = "architecture.layers=[{name:dense,units:6,activation:relu,l2:0.01},{name:dropout,rate:0.3},{name:dense,units:4,activation:relu,l2:0.01},{name:dropout,rate:0.3},{name:output}]"


@pytest.mark.parametrize("data", ["boston_housing", "imdb"])
def test_training_a_chain_is_training_the_architecture_dense(data, project):
    """The same history to the last digit, and the same weights, by other names."""
    words = ["-q", f"dataset={data}", "dataset.source=sample", "trainer.epochs=3", "trainer.plots=false", "trainer.batch_size=64",
             "evaluation.validation=0.2", "evaluation.refit=best", "evaluation.test=true", FLOAT64]  # fmt: skip
    from dlrun.cli import main

    assert (
        main(
            [
                "train",
                *words,
                "architecture.units=[6,4]",
                "architecture.dropout=0.3",
                "architecture.l2=0.01",
                "runs_dir=dense",
            ]
        )
        == 0
    )
    assert main(["train", *words, "architecture=graph", GRAPH, "runs_dir=graph"]) == 0
    (history, weights), (history_of_graph, weights_of_graph) = outcome("dense"), outcome("graph")
    assert history == history_of_graph
    assert len(history) >= 6
    assert weights.keys() == weights_of_graph.keys()
    for file in weights:
        ours = [weights_of_graph[file][name] for name in weights_of_graph[file]]
        assert sorted(t.double().sum().item() for t in ours) == sorted(
            t.double().sum().item() for t in weights[file].values()
        )
