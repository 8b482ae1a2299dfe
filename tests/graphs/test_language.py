"""What may be written, and what it means."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from _graphs import CLASSES, LABELS, NUMBER, YES, built, problems_of, rows, spec

from dlrun.contracts import InputSpec, TargetSpec
from dlrun.layers._making import recipe


def assert_same_model(one, other, data=None, names=None):
    """names: those of the first by those of the second, where they differ."""
    data = data or spec()
    a, b = built(one, data), built(other, data)
    renamed = {
        key.replace(*next(((k, v) for k, v in (names or {}).items() if key.startswith(k)), ("", ""))): t
        for key, t in b.state_dict().items()
    }
    assert list(a.state_dict()) == list(renamed)
    torch.testing.assert_close(a.state_dict(), renamed, rtol=0, atol=0)
    inputs = rows(data, 6)
    torch.testing.assert_close(a(inputs), b(inputs), rtol=0, atol=0)
    assert a.output_activations == b.output_activations


def test_list_is_a_mapping_with_names_by_kind():
    short = "layers: [{name: dense, units: 4}, {name: activation, activation: relu}, {name: dense, units: 3}, output]"
    long = """
    layers:
      dense_1: {name: dense, units: 4, inputs: x}
      activation_1: {name: activation, activation: relu, inputs: dense_1}
      dense_2: {name: dense, units: 3, inputs: activation_1}
      output_1: {name: output, inputs: dense_2}
    """
    assert_same_model(short, long)
    assert list(built(short).state_dict()) == [
        f"{layer}.{weight}" for layer in ("dense_1", "dense_2", "output_1") for weight in ("kernel", "bias")
    ]


def test_layers_are_numbered_by_kind_whatever_is_said_of_them():
    text = "layers: [flatten, {name: dense, units: 2}, {same_as: dense_1, inputs: x}, {name: dense, units: 3}, {name: add, inputs: [dense_1, layer_1]}, {name: concatenate, inputs: [add_1, dense_2]}, output]"
    model = built(text, spec({"x": (5,)}))
    assert [name for name, _ in model.named_children()] == [
        "flatten_1",
        "dense_1",
        "dense_2",
        "add_1",
        "concatenate_1",
        "output_1",
    ]


def test_what_says_no_inputs_reads_the_one_before_it():
    chain = "layers: {a: {name: dense, units: 4}, b: {name: dense, units: 3}, last: output}"
    said = "layers: {a: {name: dense, units: 4, inputs: x}, b: {name: dense, units: 3, inputs: [a]}, last: {name: output, inputs: b}}"
    assert_same_model(chain, said)


def test_order_of_a_mapping_need_not_be_the_order_of_running():
    backwards = "layers: {last: {name: output, inputs: b}, b: {name: dense, units: 3, inputs: a}, a: {name: dense, units: 4, inputs: x}}"
    model, inputs = built(backwards), rows(spec(), 6)
    expected = model.last(model.b(model.a(inputs["x"])))[:, 0]
    torch.testing.assert_close(model(inputs)["y"], expected, rtol=0, atol=0)


def test_several_inputs_by_name_in_any_order():
    data = spec({"x": (2,), "z": (3,)})
    model = built("layers: {both: {name: concatenate, inputs: [z, x]}, last: output}", data)
    inputs = rows(data, 4)
    torch.testing.assert_close(model(inputs)["y"], model.last(torch.cat([inputs["z"], inputs["x"]], 1))[:, 0])


# Shared layers


SHARED = """
layers:
  first: {name: dense, units: 3, activation: tanh, inputs: x}
  second: {same_as: first, inputs: z}
  both: {name: subtract, inputs: [first, second]}
  last: output
"""


def test_shared_layer_has_one_set_of_weights_whose_gradients_add_up():
    data = spec({"x": (5,), "z": (5,)})
    model, inputs = built(SHARED, data), rows(data, 6)
    assert list(model.state_dict()) == ["first.kernel", "first.bias", "last.kernel", "last.bias"]
    model(inputs)["y"].square().sum().backward()

    two = built(SHARED.replace("{same_as: first", "{name: dense, units: 3, activation: tanh"), data)
    two.load_state_dict({**model.state_dict(), **{f"second.{k}": v for k, v in model.first.state_dict().items()}})
    two(inputs)["y"].square().sum().backward()
    torch.testing.assert_close(model.first.kernel.grad, two.first.kernel.grad + two.second.kernel.grad)
    torch.testing.assert_close(model.first.bias.grad, two.first.bias.grad + two.second.bias.grad)


@pytest.mark.parametrize("layer", ["conv1d, filters: 3, kernel_size: 3, padding: same, strides: 2",
                                   "separable_conv1d, filters: 3, kernel_size: 2, padding: same",
                                   "max_pooling1d, padding: same", "dense, units: 3", "batch_normalization"])  # fmt: skip
def test_shared_on_another_length_is_the_layer_made_for_that_length(layer):
    data = spec({"x": (7, 2), "z": (10, 2)})
    text = f"""
    layers:
      a: {{name: {layer}, inputs: x}}
      b: {{same_as: a, inputs: z}}
      c: {{name: global_max_pooling1d, inputs: a}}
      d: {{name: global_max_pooling1d, inputs: b}}
      e: {{name: concatenate, inputs: [c, d]}}
      last: output
    """
    model = built(text, data).eval()
    twin = built(text.replace("same_as: a", f"name: {layer}"), data).eval()
    twin.load_state_dict({**model.state_dict(), **{f"b.{k}": v for k, v in model.a.state_dict().items()}})
    torch.testing.assert_close(model(rows(data, 4)), twin(rows(data, 4)), rtol=0, atol=0)


def test_shared_where_the_weights_do_not_fit():
    (problem,) = problems_of(SHARED, spec({"x": (5,), "z": (6,)}))
    assert problem.path == "architecture.layers.second"
    assert problem.message == "the weights of 'first' are for (5,), received (6,)"
    assert "inputs of one width" in problem.hint


RANKS = """
layers:
  a: {name: batch_normalization, axis: 1, inputs: x}
  b: {same_as: a, inputs: z}
  c: {name: flatten, inputs: a}
  d: {name: flatten, inputs: b}
  e: {name: concatenate, inputs: [c, d]}
  last: output
"""


def test_shared_along_another_axis_is_refused():
    """Axis 1 is the second from the end of one, the third of the other: as many weights, and yet another layer."""
    (problem,) = problems_of(RANKS, spec({"x": (4, 3), "z": (4, 3, 2)}))
    assert problem.path == "architecture.layers.b"
    assert problem.message == "'a' works along other axes for (4, 3), received (4, 3, 2)"


def test_a_layer_without_weights_is_made_for_each_rank():
    data = spec({"x": (4, 3), "z": (4, 3, 2)})
    model = built(RANKS.replace("batch_normalization", "softmax"), data)
    inputs = rows(data, 5)
    expected = torch.cat([inputs["x"].softmax(1).flatten(1), inputs["z"].softmax(1).flatten(1)], 1)
    torch.testing.assert_close(model(inputs)["y"], model.last(expected)[:, 0])
    assert {"a", "b"} <= dict(model.named_children()).keys()


def test_shared_dense_reads_any_rank():
    data = spec({"x": (3,), "z": (4, 3)})
    text = "layers: {a: {name: dense, units: 2, inputs: x}, b: {same_as: a, inputs: z}, c: {name: flatten}, d: {name: concatenate, inputs: [a, c]}, last: output}"
    model, inputs = built(text, data), rows(data, 5)
    expected = torch.cat([model.a(inputs["x"]), model.a(inputs["z"]).flatten(1)], 1)
    torch.testing.assert_close(model(inputs)["y"], model.last(expected)[:, 0])


def test_sharing_draws_no_other_weights():
    data = spec({"x": (7, 2), "z": (9, 2)})
    text = "layers: {a: {name: conv1d, filters: 3, kernel_size: 2, inputs: x}, n: {name: dropout, rate: 0.5}, b: {%s, inputs: z}, p: {name: global_max_pooling1d, inputs: n}, q: {name: global_max_pooling1d, inputs: b}, e: {name: concatenate, inputs: [p, q]}, last: output}"
    shared, plain = built(text % "same_as: a", data), built(text % "name: identity", spec({"x": (7, 2), "z": (9, 3)}))
    torch.testing.assert_close(shared.last.kernel, plain.last.kernel, rtol=0, atol=0)


def test_penalty_of_a_shared_layer_counts_once():
    data = spec({"x": (5,), "z": (5,)})
    model = built(SHARED.replace("units: 3", "units: 3, l2: 0.1"), data)
    assert sum(hasattr(module, "penalty") for module in model.modules()) == 1


# Blocks


def block(inside, more="[{name: d}, output]"):
    return f"{{blocks: {{d: {inside}}}, layers: {more}}}"


def test_block_is_its_layers_in_place():
    with_block = block(
        "{parameters: {units: 4, rate: 0.0}, layers: [{name: dense, units: $units}, {name: dropout, rate: $rate}, relu]}",
        "[{name: d, units: 6}, d, output]",
    )
    plain = "layers: [{name: dense, units: 6}, {name: dropout, rate: 0.0}, relu, {name: dense, units: 4}, {name: dropout, rate: 0.0}, relu, output]"
    a, b = built(with_block), built(plain)
    assert list(a.state_dict()) == [
        "d_1.dense_1.kernel", "d_1.dense_1.bias", "d_1.dropout_1.key", "d_2.dense_1.kernel", "d_2.dense_1.bias",
        "d_2.dropout_1.key", "output_1.kernel", "output_1.bias"]  # fmt: skip
    for one, other in zip(a.state_dict().values(), b.state_dict().values(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
    torch.testing.assert_close(a(rows(spec(), 4)), b(rows(spec(), 4)), rtol=0, atol=0)


def test_required_parameter():
    (problem,) = problems_of(block("{parameters: {units: null}, layers: [{name: dense, units: $units}]}"))
    assert (problem.path, problem.message) == ("architecture.layers.0", "block 'd' needs its parameter 'units'")
    assert problem.hint == "set architecture.layers.0.units=…"


def test_parameters_of_any_type_anywhere():
    text = block(
        "{parameters: {shape: null, frozen: false, how: relu}, layers: [{name: reshape, target_shape: $shape, trainable: $frozen}, {name: activation, activation: $how}, flatten]}",
        "[{name: d, shape: [5, 1], how: tanh}, output]",
    )
    model, inputs = built(text), rows(spec(), 4)
    torch.testing.assert_close(model(inputs)["y"], model.output_1(inputs["x"].tanh())[:, 0])


def test_block_in_a_block_hands_its_parameters_on():
    text = """
    blocks:
      inner: {parameters: {units: null}, layers: [{name: dense, units: $units}]}
      outer: {parameters: {width: 3}, layers: [{name: inner, units: $width}, {name: inner, units: 2}]}
    layers: [{name: outer, width: 7}, output]
    """
    kernels = {name: tuple(t.shape) for name, t in built(text).state_dict().items() if name.endswith("kernel")}
    assert kernels == {
        "outer_1.inner_1.dense_1.kernel": (5, 7),
        "outer_1.inner_2.dense_1.kernel": (7, 2),
        "output_1.kernel": (2, 1),
    }


def test_blocks_in_themselves():
    text = "{blocks: {a: {layers: [{name: b}]}, b: {layers: [relu, {name: a}]}}, layers: [{name: a}, output]}"
    (problem,) = problems_of(text)
    assert problem.message == "block 'a' is made of itself: a → b → a"
    assert problem.path == "architecture.blocks.b.layers.1"
    assert "in 'a_1'" in problem.hint


TWO_IN_TWO_OUT = """
blocks:
  cross:
    inputs: [left, right]
    layers:
      sum: {name: add, inputs: [left, right]}
      difference: {name: subtract, inputs: [left, right]}
    outputs: [difference, sum]
layers:
  c: {name: cross, inputs: [x, z]}
  p: {name: multiply, inputs: [c.sum, c.difference]}
  last: output
"""


def test_several_inputs_and_outputs_of_a_block():
    data = spec({"x": (5,), "z": (5,)})
    model, inputs = built(TWO_IN_TWO_OUT, data), rows(spec({"x": (5,), "z": (5,)}), 4)
    x, z = inputs["x"], inputs["z"]
    torch.testing.assert_close(model(inputs)["y"], model.last((x + z) * (x - z))[:, 0])


def test_a_block_of_several_outputs_is_read_by_their_names():
    for name in ("c", "c.product"):
        (problem,) = problems_of(TWO_IN_TWO_OUT.replace("c.sum", name), spec({"x": (5,), "z": (5,)}))
        assert problem.path == "architecture.layers.p.inputs"
        assert problem.hint == "it has: c.difference, c.sum"


def test_shared_block():
    data = spec({"x": (7, 2), "z": (10, 2)})
    text = """
    blocks:
      twig: {layers: {conv: {name: conv1d, filters: 3, kernel_size: 2, activation: relu}, a: {name: global_max_pooling1d}, b: {name: global_average_pooling1d, inputs: conv}}, outputs: [a, b]}
    layers:
      one: {name: twig, inputs: x}
      two: {same_as: one, inputs: z}
      all: {name: concatenate, inputs: [one.a, two.b, one.b, two.a]}
      last: output
    """
    model, inputs = built(text, data), rows(data, 4)
    assert list(model.state_dict()) == ["one.conv.kernel", "one.conv.bias", "last.kernel", "last.bias"]
    conv = model.one.conv
    x, z = conv(inputs["x"]), conv(inputs["z"])
    expected = torch.cat([x.amax(1), z.mean(1), x.mean(1), z.amax(1)], 1)
    torch.testing.assert_close(model(inputs)["y"], model.last(expected)[:, 0])
    (problem,) = problems_of(text, spec({"x": (7, 2), "z": (10, 3)}))
    assert "the weights of 'one' are for (7, 2), received (10, 3)" in problem.message


def test_what_is_wrong_in_a_shared_block_is_said_with_the_node():
    text = "{blocks: {d: {layers: [{name: conv1d, filters: 2, kernel_size: 4}, flatten]}}, layers: {a: {name: d, inputs: x}, b: {same_as: a, inputs: z}, c: {name: concatenate, inputs: [a, b]}, last: output}}"
    (problem,) = problems_of(text, spec({"x": (5, 1), "z": (3, 1)}))
    assert problem.path == "architecture.blocks.d.layers.0"
    assert "at least 4 places, received 3" in problem.message
    assert problem.hint.endswith("(in 'b')")


# The last layers


@pytest.mark.parametrize(("target", "activation", "function"), [
    (NUMBER, "linear", lambda x: x), (YES, "sigmoid", torch.sigmoid), (LABELS, "sigmoid", torch.sigmoid),
    (CLASSES, "softmax", lambda x: x.softmax(-1)), (TargetSpec("bounded_regression", shape=(2, 3)), "sigmoid", torch.sigmoid),
])  # fmt: skip
def test_an_output_layer_is_what_the_target_needs(target, activation, function):
    model = built("layers: [{name: dense, units: 4}, output]", spec(targets={"y": target}))
    outputs = model(rows(spec(), 4))
    shape = (4, target.classes) if target.problem in ("multiclass", "multilabel") else (4, *target.shape)
    assert outputs["y"].shape == outputs["y_logits"].shape == shape
    assert model.output_activations == {"y": activation}
    torch.testing.assert_close(outputs["y"], function(outputs["y_logits"]))
    # The same, written out.
    written = f"layers: [{{name: dense, units: 4}}, {{name: dense, units: {target.units}, activation: {activation}}}]"
    other = built(written, spec(targets={"y": target}))
    torch.testing.assert_close(other(rows(spec(), 4)), outputs, rtol=0, atol=0)
    assert other.output_activations == model.output_activations


def test_arguments_of_an_output_layer():
    model = built("layers: [{name: output, activation: tanh, use_bias: false, kernel_initializer: ones}]")
    outputs, x = model(rows(spec(), 4)), rows(spec(), 4)["x"]
    torch.testing.assert_close(outputs["y_logits"], x.sum(1))
    torch.testing.assert_close(outputs["y"], x.sum(1).tanh())


LAST = {
    "a dense layer": "layers: {last: {name: dense, units: 4, activation: sigmoid}}",
    "an activation": "layers: {d: {name: dense, units: 4}, last: {name: activation, activation: sigmoid}}",
    "a block": "{blocks: {b: {layers: [{name: dense, units: 4, activation: sigmoid}]}}, layers: {last: {name: b}}}",
    "a block in a block": "{blocks: {b: {layers: [{name: dense, units: 4, activation: sigmoid}]}, c: {layers: [b]}}, layers: {last: {name: c}}}",
    "an output of a block": "{blocks: {b: {layers: {p: {name: dense, units: 4, activation: sigmoid}, q: {name: relu, inputs: p}}, outputs: [q, p]}}, outputs: {y: last.p}, layers: {last: {name: b}}}",
    "a block with another's weights": "{blocks: {b: {layers: [{name: dense, units: 4, activation: sigmoid}]}}, layers: {z: {name: b}, k: {name: dense, units: 5}, last: {same_as: z}}}",
}


def test_a_last_layer_of_softmax_is_an_activation():
    data = spec(targets={"y": CLASSES})
    written, layer = (
        built(f"layers: [{{name: dense, units: 3}}, {one}]", data)
        for one in ("{name: activation, activation: softmax}", "softmax")
    )
    assert layer.output_activations == {"y": "softmax"}
    torch.testing.assert_close(layer(rows(data, 4)), written(rows(data, 4)), rtol=0, atol=0)


@pytest.mark.parametrize("case", LAST)
def test_activation_of_the_last_layer_is_left_to_the_end(case):
    """Whatever gives the prediction, the loss can have what comes before its activation."""
    data = spec(targets={"y": LABELS})
    model = built(LAST[case], data)
    assert model.output_activations == {"y": "sigmoid"}
    outputs = model(rows(data, 6))
    assert (outputs["y_logits"] < 0).any()
    torch.testing.assert_close(outputs["y"], torch.sigmoid(outputs["y_logits"]))


def test_layers_with_the_weights_of_the_last_one_keep_their_activation():
    """Both the first and the second reading of `a` are activated; only that which gives the prediction is not."""
    text = "{outputs: {y: last}, layers: {a: {name: dense, units: 5, activation: sigmoid}, between: {name: dense, units: 5}, last: {same_as: a}}}"
    data = spec(targets={"y": TargetSpec("multilabel", classes=5)})
    model, x = built(text, data), rows(data, 4)["x"]
    w, v = model.state_dict(), None
    hidden = torch.sigmoid(x @ w["a.kernel"] + w["a.bias"]) @ w["between.kernel"] + w["between.bias"]
    v = hidden @ w["a.kernel"] + w["a.bias"]
    outputs = model({"x": x})
    torch.testing.assert_close(outputs["y_logits"], v)
    torch.testing.assert_close(outputs["y"], torch.sigmoid(v))


@pytest.mark.parametrize("name", ["p", "b.first"])
def test_a_prediction_may_be_read_by_other_layers(name):
    """They get the prediction, not what comes before its activation."""
    text = """
    blocks:
      two: {layers: {first: {name: dense, units: 1, activation: sigmoid}, second: {name: dense, units: 2, inputs: x}}, outputs: [first, second]}
    layers:
      b: {name: two, inputs: x}
      p: {name: dense, units: 1, activation: sigmoid, inputs: x}
      other: {name: add, inputs: [b.first, b.second, p]}
      again: {name: multiply, inputs: [NAME, other]}
      last: {name: output, target: number}
    outputs: {probability: NAME}
    """.replace("NAME", name)
    data = spec(targets={"probability": YES, "number": NUMBER})
    model, inputs = built(text, data), rows(data, 4)
    outputs, w, x = model(inputs), model.state_dict(), inputs["x"]
    p, first = (torch.sigmoid(x @ w[f"{n}.kernel"] + w[f"{n}.bias"]) for n in ("p", "b.first"))
    second = x @ w["b.second.kernel"] + w["b.second.bias"]
    prediction = p if name == "p" else first
    torch.testing.assert_close(outputs["probability"], prediction[:, 0])
    torch.testing.assert_close(outputs["number"], model.last(prediction * (first + second + p))[:, 0])
    assert not any("activated" in key for key in w)


def test_several_targets():
    data = spec(targets={"age": NUMBER, "kind": CLASSES, "sure": YES})
    text = """
    layers:
      trunk: {name: dense, units: 4, activation: relu}
      age: {name: output, inputs: trunk}
      of_kind: {name: output, target: kind, inputs: trunk}
      last: {name: dense, units: 1, activation: sigmoid, inputs: trunk}
    outputs: {sure: last}
    """
    model = built(text, data)
    assert model.output_activations == {"age": "linear", "kind": "softmax", "sure": "sigmoid"}
    outputs = model(rows(data, 4))
    assert {name: tuple(t.shape) for name, t in outputs.items() if not name.endswith("logits")} == {
        "age": (4,),
        "kind": (4, 3),
        "sure": (4,),
    }
    h = model.trunk(rows(data, 4)["x"])
    torch.testing.assert_close(outputs["kind"], model.of_kind(h).softmax(-1))
    torch.testing.assert_close(outputs["sure_logits"], model.last(h)[:, 0])


def test_one_layer_may_give_two_targets():
    data = spec(targets={"a": NUMBER, "b": YES})
    outputs = built("{layers: {n: {name: dense, units: 1}}, outputs: {a: n, b: n}}", data)(rows(data, 4))
    torch.testing.assert_close(outputs["a"], outputs["b"])


def test_recurrent_layers_keep_their_activation():
    """Theirs is applied within each step, and never left to the end."""

    class Recurrent(type(recipe({"name": "relu"}, ""))):
        def value(self, argument):
            return {"activation": "tanh", "return_sequences": False}.get(argument)

    assert Recurrent("lstm", {}, "").last_activation == "linear"
    assert recipe({"name": "dense", "units": 1, "activation": "tanh"}, "").last_activation == "tanh"


# Training


def test_frozen_layers():
    text = block(
        "{layers: [{name: dense, units: 4}, batch_normalization]}",
        "{a: {name: d, trainable: false}, b: {name: dense, units: 3, trainable: false}, c: {name: dense, units: 3, trainable: true}, last: output}",
    )
    model = built(text)
    trained = [name for name, p in model.named_parameters() if p.requires_grad]
    assert trained == ["c.kernel", "c.bias", "last.kernel", "last.bias"]
    model(rows(spec(), 4))["y"].sum().backward()
    assert model.a.dense_1.kernel.grad is None
    assert model.c.kernel.grad is not None


def test_layers_in_blocks_are_frozen_too():
    model = built(block("{layers: [{name: dense, units: 4, trainable: false}, {name: dense, units: 4}]}"))
    assert [name for name, p in model.d_1.named_parameters() if p.requires_grad] == ["dense_2.kernel", "dense_2.bias"]


def test_modes_reach_every_layer():
    """Shared ones and those of blocks, too."""
    data = spec({"x": (8,), "z": (8,)})
    text = block(
        "{layers: [{name: dropout, rate: 0.5}, batch_normalization]}",
        "{a: {name: d, inputs: x}, b: {same_as: a, inputs: z}, c: {name: concatenate, inputs: [a, b]}, last: output}",
    )
    model, inputs = built(text, data), rows(data, 64)
    once, again = model.train()(inputs), model(inputs)
    assert not torch.equal(once["y"], again["y"])
    moved = model.a.batch_normalization_1.moving_mean.clone()
    assert moved.abs().sum() > 0
    model.eval()
    torch.testing.assert_close(model(inputs), model(inputs), rtol=0, atol=0)
    torch.testing.assert_close(model.a.batch_normalization_1.moving_mean, moved, rtol=0, atol=0)
    bn = model.a.batch_normalization_1
    expected = [
        F.batch_norm(inputs[name], bn.moving_mean, bn.moving_variance, bn.gamma, bn.beta, eps=bn.epsilon)
        for name in "xz"
    ]
    torch.testing.assert_close(model(inputs)["y"], model.last(torch.cat(expected, 1))[:, 0])


def test_multi_hot_words_go_to_several_layers():
    data = spec({"words": InputSpec((9,), "multi_hot")})
    text = "layers: {a: {name: dense, units: 2, inputs: words}, b: {name: dense, units: 2, inputs: words}, c: {name: add, inputs: [a, b]}, last: output}"
    model, bags = built(text, data), rows(data, 4)
    dense = torch.zeros(4, 9)
    for row, words in enumerate(bags["words"].values.view(4, 2)):
        for word in words:
            dense[row, word] += 1
    w = model.state_dict()
    expected = sum(dense @ w[f"{n}.kernel"] + w[f"{n}.bias"] for n in "ab")
    torch.testing.assert_close(model(bags)["y"], model.last(expected)[:, 0])


def test_no_values_are_kept_that_nobody_reads_any_more():
    model = built(
        "layers: {a: {name: dense, units: 2}, b: {name: dense, units: 2}, c: {name: add, inputs: [a, b]}, last: output}"
    )
    spent = [set(one) for *_, one in model._plan]
    assert [len(one) for one in spent] == [1, 0, 2, 1]
