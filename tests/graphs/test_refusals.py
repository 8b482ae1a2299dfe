"""Each mistake: where it is said to be, in which words, and what to do about it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from _graphs import CLASSES, NUMBER, YES, problems_of, spec

from dlrun.cli import main
from dlrun.contracts import InputSpec, TargetSpec

PAIR = spec({"x": (5,), "z": (5,)})
TWO = spec(targets={"age": NUMBER, "sure": YES})
PICTURE = spec({"x": (28, 28, 1)})

CASES = {
    "cycle": ("layers: {a: {name: dense, units: 3, inputs: c}, b: {name: relu}, c: {name: relu}, last: output}",
              "layers.a", "a cycle: a → b → c → a", "can't read what comes of its own output"),
    "reading itself": ("layers: {a: {name: add, inputs: [x, a]}, last: output}", "layers.a", "a cycle: a → a", "its own output"),
    "having its own weights": ("layers: {a: {same_as: a}, last: output}", "layers.a", "a cycle: a → a", ""),
    "a cycle by weights": ("layers: {a: {name: dense, units: 5, inputs: b}, b: {same_as: a, inputs: a}, last: output}",
                           "layers.a", "a cycle: a → b → a", "its own output"),
    "read by nobody": ("layers: {a: {name: dense, units: 3, inputs: x}, last: {name: output, inputs: x}}",
                       "layers.a", "'a' leads to no output", "let another layer read it"),
    "only its weights are used": ("layers: {a: {name: dense, units: 3, inputs: x}, b: {same_as: a, inputs: x}, last: output}",
                                  "layers.a", "'a' leads to no output", "let another layer read it"),
    "input that nobody reads": ("layers: {last: {name: output, inputs: x}}", "layers", "do not depend on the input 'z', only on: x", "let a layer read it", PAIR),
    "input whose layer leads nowhere": ("layers: {a: {name: dense, units: 3, inputs: z}, last: {name: output, inputs: x}}",
                                        "layers.a", "'a' leads to no output", "", PAIR),
    "unknown name": ("layers: {first: {name: dense, units: 3}, last: {name: output, inputs: fist}}",
                     "layers.last.inputs", "no layer or input is called 'fist'", "Did you mean 'first'? there are: x, first, last"),
    "unknown input": ("layers: {last: {name: output, inputs: [w]}}", "layers.last.inputs", "no layer or input is called 'w'", "there are: x, z, last", PAIR),
    "unknown weights": ("layers: {dense: {name: dense, units: 5}, b: {same_as: dens}, last: output}",
                        "layers.b.same_as", "no layer is called 'dens'", "Did you mean 'dense'?"),
    "weights of an input": ("layers: {b: {same_as: x}, last: output}", "layers.b.same_as", "no layer is called 'x'", "there are: b, last"),
    "weights of weights": ("layers: {a: {name: dense, units: 5}, b: {same_as: a}, c: {same_as: b}, last: output}",
                           "layers.c.same_as", "'b' is itself the same as another", "name that one"),
    "weights and more": ("layers: {a: {name: dense, units: 5}, b: {same_as: a, units: 4}, last: output}", "layers.b", "has no more of its own: units", ""),
    "weights and frozen": ("layers: {a: {name: dense, units: 5}, b: {same_as: a, trainable: false}, last: output}",
                           "layers.b", "has no more of its own: trainable", ""),
    "weights that do not fit": ("layers: {a: {name: dense, units: 3}, b: {same_as: a}, last: output}",
                                "layers.b", "the weights of 'a' are for (5,), received (3,)", "inputs of one width"),
    "called like an input": ("layers: {x: {name: dense, units: 3}, last: output}", "layers.x", "'x' is the name of an input, too", "something else"),
    "bad name": ("layers: {a-b: {name: dense, units: 3}, last: output}", "layers.a-b", "a layer can't be called 'a-b'", "letters, digits and _"),
    "name with a dot": ("layers: {a.b: {name: dense, units: 3}, last: output}", "layers.a.b", "a layer can't be called 'a.b'", "letters, digits and _"),
    "a word of torch's": ("layers: {forward: {name: dense, units: 3}, last: output}", "layers.forward", "a layer can't be called 'forward'", "word of torch's"),
    "a word of another part": ("layers: {penalty: {name: dense, units: 3}, last: output}", "layers.penalty", "a layer can't be called 'penalty'", "or of ours"),
    "a word of ours": ("layers: {targets: {name: dense, units: 3}, last: output}", "layers.targets", "a layer can't be called 'targets'", ""),
    "misspelt layer": ("layers: [{name: dens, units: 3}, output]", "layers.0", "no layer is called 'dens'", "Did you mean 'dense'? `dlrun list layer` lists all"),
    "layer with a blank": ("layers: [{name: max pooling2d}, output]", "layers.0", "no layer is called 'max pooling2d'", "Did you mean 'max_pooling2d'?"),
    "misspelt argument": ("layers: [{name: dense, units: 3, activaton: relu}, output]", "layers.0.activaton", "no such argument", "Did you mean 'activation'?"),
    "misspelt key": ("layers: [{name: dense, units: 3, input: x}, output]", "layers.0.input", "no such argument", "available: activation"),
    "missing argument": ("layers: [{name: dense}, output]", "layers.0.units", "missing: this argument has no default", "set architecture.layers.0.units=…"),
    "wrong type": ("layers: {a: {name: dense, units: '3'}, last: output}", "layers.a.units", "expected an integer, received '3' (str)", ""),
    "out of range": ("layers: {a: {name: dense, units: 0}, last: output}", "layers.a.units", "expected greater than or equal to 1, received 0", ""),
    "unknown activation": ("layers: {a: {name: dense, units: 1, activation: rely}}", "layers.a.activation", "received 'rely'", ""),
    "kind is a number": ("layers: [{name: 5}, output]", "layers.0", "expected a layer with a name, received {'name': 5}", "`dlrun list layer`"),
    "no kind": ("layers: {a: {units: 5}, last: output}", "layers.a", "expected a layer with a name, received {'units': 5}", "`dlrun list layer`"),
    "no layer": ("layers: {a: 5, last: output}", "layers.a", "expected a layer such as {name: dense, units: 32}, received 5", ""),
    "nothing": ("layers: {a: null, last: output}", "layers.a", "expected a layer such as", ""),
    "no layers": ("layers: []", "layers", "expected layers, received none", ""),
    "neither list nor mapping": ("layers: dense", "layers", "expected a list or a mapping of layers, received 'dense'", ""),
    "sum of unequal shapes": ("layers: {a: {name: dense, units: 4}, b: {name: add, inputs: [a, x]}, last: output}",
                              "layers.b", "add needs inputs of one shape, received (4,) and (5,)", "bring them to one shape"),
    "side by side": ("layers: {a: {name: repeat_vector, n: 3}, b: {name: repeat_vector, n: 2, inputs: x}, c: {name: concatenate, inputs: [a, b]}, f: flatten, last: output}",
                     "layers.c", "concatenate needs inputs that differ along axis -1 alone, received (3, 5) and (2, 5)", "name another axis"),
    "shortcut of another size": ("""
        layers:
          a: {name: conv2d, filters: 8, kernel_size: 3, strides: 2, padding: valid, inputs: x}
          shortcut: {name: conv2d, filters: 8, kernel_size: 1, strides: 2, inputs: x}
          sum: {name: add, inputs: [a, shortcut]}
          pooled: global_average_pooling2d
          last: output
        """, "layers.sum", "add needs inputs of one shape, received (14, 14, 8) and (15, 15, 8)", "", spec({"x": (30, 30, 1)})),
    "window too large": ("layers: {a: {name: conv2d, filters: 8, kernel_size: 30}, f: flatten, last: output}",
                         "layers.a", "conv2d expects at least 30 x 30 places, received 28 x 28", "smaller window", PICTURE),
    "other rank": ("layers: {a: {name: conv2d, filters: 8, kernel_size: 3}, f: flatten, last: output}",
                   "layers.a", "conv2d expects (height, width, channels), received (5,)", "reshape"),
    "two layers for one target": ("layers: {a: output, b: {name: output, inputs: x}}", "layers.b", "two layers give 'y': a and b", ""),
    "output and outputs": ("{layers: {a: {name: dense, units: 1}, b: {name: output, inputs: x}}, outputs: {y: a}}", "layers.b", "two layers give 'y': a and b", ""),
    "missing target": ("layers: {age: output}", "outputs", "no layer gives the target sure", "add {name: output, target: …}", TWO),
    "missing targets": ("layers: [{name: dense, units: 1}]", "outputs", "no layer gives the targets age, sure", "or outputs: {target: layer}", TWO),
    "which target": ("layers: [output]", "layers.0.target", "the data have 2 targets: name one", "available: age, sure", TWO),
    "unknown target": ("layers: [{name: output, target: agee}, {name: output, target: sure, inputs: x}]", "layers.0.target", "no target 'agee' in the data", "Did you mean 'age'?", TWO),
    "target of another type": ("layers: [{name: output, target: [y]}]", "layers.0.target", "no target '['y']' in the data", "available: y"),
    "unknown target in outputs": ("{layers: {a: {name: dense, units: 1}}, outputs: {yy: a, y: a}}", "outputs", "no target 'yy' in the data", "available: y"),
    "output that is no layer": ("{layers: {ab: {name: dense, units: 1}}, outputs: {y: aa}}", "layers (outputs)", "no layer is called 'aa'", "there are: ab"),
    "output that is an input": ("{layers: {a: {name: dense, units: 1}}, outputs: {y: x}}", "layers (outputs)", "no layer is called 'x'", "there are: a"),
    "output of no block": ("{layers: {a: {name: dense, units: 1}}, outputs: {y: a.b}}", "layers (outputs)", "'a' has one output", "say a"),
    "output of another size": ("layers: {a: {name: dense, units: 3}}", "layers (outputs)", "'a' gives (3,), the target 'y' needs (1,)", "let a layer of {name: output} follow"),
    "output of another rank": ("layers: [{name: dense, units: 3}, {name: reshape, target_shape: [3, 1]}]", "layers (outputs)",
                               "'reshape_1' gives (3, 1), the target 'y' needs (3,)", "", spec(targets={"y": CLASSES})),
    "output turned around": ("layers: [{name: dense, units: 6}, {name: reshape, target_shape: [3, 2]}]", "layers (outputs)",
                             "'reshape_1' gives (3, 2), the target 'y' needs (2, 3)", "", spec(targets={"y": TargetSpec("regression", shape=(2, 3))})),
    "merging one": ("layers: {a: {name: add}, last: output}", "layers.a", "add needs at least two inputs, received 1: (5,)", "name its inputs"),
    "three to subtract": ("layers: {a: {name: subtract, inputs: [x, x, x]}, last: output}", "layers.a", "subtract needs two inputs, received 3", ""),
    "a plain layer of two": ("layers: {a: {name: dense, units: 2, inputs: [x, z]}, last: output}", "layers.a",
                             "layer dense reads one input, received 2: x, z", "merge them before, by concatenate or add", PAIR),
    "first of several inputs": ("layers: {a: {name: dense, units: 2}, last: {name: concatenate, inputs: [a, x, z]}}", "layers.a",
                                "it is the first, and there are several inputs: x, z", "say inputs", PAIR),
    "inputs: a number": ("layers: [{name: dense, units: 2, inputs: 5}, output]", "layers.0.inputs", "expected a name or a list of names, received 5", ""),
    "inputs: numbers": ("layers: [{name: dense, units: 2, inputs: [x, 5]}, output]", "layers.0.inputs", "expected a name or a list of names, received ['x', 5]", ""),
    "inputs: none": ("layers: [{name: dense, units: 2, inputs: []}, output]", "layers.0.inputs", "expected names, received none", ""),
    "same_as: a list": ("layers: [{same_as: [a]}, output]", "layers.0.same_as", "expected the name of a node, received ['a']", ""),
    "trainable: a word": ("layers: [{name: dense, units: 2, trainable: never}, output]", "layers.0.trainable", "expected true or false, received 'never'", ""),
    "tokens": ("layers: [{name: dense, units: 2}, output]", "layers.0", "layer dense can't read tokens of shape (4,)", "embedding", spec({"x": InputSpec((4,), "tokens", vocabulary=9)})),
    "wrong inside a layer": ("layers: {a: {name: time_distributed, layer: {name: dense, unit: 3, units: 2}}, last: output}", "layers.a.layer.unit",
                             "no such argument", "Did you mean 'units'?", spec({"x": (4, 3)})),
    "wrong inside a recurrent pair": ("layers: {a: {name: bidirectional, layer: {name: lstm, units: 2, activation: rely}}, last: output}", "layers.a.layer.activation",
                                      "received 'rely'", "", spec({"x": (4, 3)})),
    "a single number": ("layers: [{name: dense, units: 2}, output]", "layers.0", "layer dense needs a last axis, received ()", "flatten", spec({"x": ()})),
    "too large to be counted": ("layers: [{name: dense, units: 100000000000000000000000}, output]", "layers.0", "layer dense can't be made", ""),
    # Blocks.
    "misspelt block": ("{blocks: {twig: {layers: [relu]}}, layers: [twigg, output]}", "layers.0", "no layer is called 'twigg'", "Did you mean 'twig'?"),
    "block that is none": ("{blocks: {twig: 5}, layers: [twig, output]}", "blocks.twig", "expected a block with layers, received 5", ""),
    "block that is none and not used": ("{blocks: {twig: 5}, layers: [output]}", "blocks.twig", "expected a block with layers, received 5", ""),
    "block without layers": ("{blocks: {twig: {layers: []}}, layers: [twig, output]}", "blocks.twig.layers", "expected layers, received none", "in 'twig_1'"),
    "misspelt key of a block": ("{blocks: {twig: {layer: [relu], layers: [relu]}}, layers: [twig, output]}", "blocks.twig.layer", "no such key", "Did you mean 'layers'?"),
    "inputs of a block": ("{blocks: {twig: {inputs: 5, layers: [relu]}}, layers: [twig, output]}", "blocks.twig.inputs", "expected names, received 5", ""),
    "outputs of a block": ("{blocks: {twig: {outputs: [relu_2], layers: [relu]}}, layers: [twig, output]}", "blocks.twig.layers (outputs)", "no layer is called 'relu_2'", "Did you mean 'relu_1'?"),
    "parameters of a block": ("{blocks: {twig: {parameters: [units], layers: [relu]}}, layers: [twig, output]}", "blocks.twig.parameters", "expected names with defaults, received ['units']", ""),
    "parameter that any layer has": ("{blocks: {twig: {parameters: {inputs: 3}, layers: [relu]}}, layers: [twig, output]}", "blocks.twig.parameters.inputs", "'inputs' is what any layer may say", "something else"),
    "block called like a layer": ("{blocks: {dense: {layers: [relu]}}, layers: [dense, output]}", "blocks.dense", "'dense' is the name of a layer, too", "something else"),
    "parameter not given": ("{blocks: {twig: {parameters: {units: null}, layers: [{name: dense, units: $units}]}}, layers: {a: twig, last: output}}",
                            "layers.a", "block 'twig' needs its parameter 'units'", "set architecture.layers.a.units=…"),
    "unknown parameter": ("{blocks: {twig: {parameters: {units: 3}, layers: [{name: dense, units: $units}]}}, layers: {a: {name: twig, unit: 3}, last: output}}",
                          "layers.a.unit", "block 'twig' has no such parameter", "Did you mean 'units'? available: units"),
    "unknown parameter inside": ("{blocks: {twig: {parameters: {units: 3}, layers: [{name: dense, units: $unitz}]}}, layers: {a: twig, last: output}}",
                                 "blocks.twig.layers.0.units", "the block has no parameter 'unitz'", "Did you mean 'units'?"),
    "parameter of the wrong type": ("{blocks: {twig: {parameters: {units: 3}, layers: [{name: dense, units: $units}]}}, layers: {a: {name: twig, units: many}, last: output}}",
                                    "blocks.twig.layers.0.units", "expected an integer, received 'many'", "in 'a'"),
    "wrong inside a block": ("{blocks: {twig: {layers: [{name: dens, units: 3}]}}, layers: {a: twig, last: output}}", "blocks.twig.layers.0", "no layer is called 'dens'", "(in 'a')"),
    "block of itself": ("{blocks: {twig: {layers: [relu, twig]}}, layers: [twig, output]}", "blocks.twig.layers.1", "block 'twig' is made of itself: twig → twig", ""),
    "target in a block": ("{blocks: {twig: {layers: [output]}}, layers: [twig]}", "blocks.twig.layers.0", "a block has no targets", "architecture.layers"),
    "one input of two": ("{blocks: {fork: {inputs: [a, b], layers: {c: {name: add, inputs: [a, b]}}}}, layers: [fork, output]}", "layers.0", "block 'fork' reads 2 inputs (a, b), received 1", "it reads: x"),
    "input that the block does not read": ("{blocks: {fork: {inputs: [a, b], layers: {c: {name: relu, inputs: a}}}}, layers: [{name: fork, inputs: [x, x]}, output]}",
                                           "blocks.fork.layers", "do not depend on the input 'b', only on: a", "in 'fork_1'"),
    "a block's only output by name": ("{blocks: {twig: {layers: {c: relu}}}, layers: {a: twig, last: {name: output, inputs: a.c}}}", "layers.last.inputs", "'a' has one output", "say a"),
    "a block has no such output": ("{blocks: {twig: {outputs: [c, d], layers: {c: relu, d: relu}}}, layers: {a: twig, last: {name: output, inputs: a.e}}}",
                                   "layers.last.inputs", "'a.e' is none of the outputs of 'a'", "it has: a.c, a.d"),
    "all outputs of a block at once": ("{blocks: {twig: {outputs: [c, d], layers: {c: relu, d: relu}}}, layers: {a: twig, last: output}}",
                                       "layers.last.inputs", "'a' is none of the outputs of 'a'", "it has: a.c, a.d"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_one_mistake_is_one_problem(name):
    text, path, message, hint, *data = CASES[name]
    (problem,) = problems_of(text, *data)
    assert problem.path == f"architecture.{path}"
    assert message in problem.message
    assert hint in problem.hint


def test_all_mistakes_at_once():
    text = """
    blocks:
      twig: {parameters: {units: null}, layers: [{name: dense, units: $units, activatoin: relu}]}
    layers:
      a: {name: dens, units: 3, inputs: x}
      b: {name: dense, units: three}
      c: {name: twig, units: 4, inputs: x}
      d: {name: add, inputs: [x, e]}
      e: {name: dense, units: 4, inputs: x}
      forward: {name: relu}
      last: {name: output, target: z, inputs: nowhere}
    """
    found = {(p.path.removeprefix("architecture."), p.message) for p in problems_of(text)}
    assert {path for path, _ in found} == {
        "blocks.twig.layers.0.activatoin", "layers.a", "layers.b.units", "layers.d", "layers.forward", "layers.last.inputs", "layers.last.target"}  # fmt: skip


def test_what_follows_from_a_mistake_is_not_said():
    """Nothing is said of layers that read one whose shape can't be known, nor of names that are there but wrong."""
    text = "layers: {a: {name: dens, units: 3}, b: {name: dense, units: 4}, c: {name: add, inputs: [a, b]}, d: {same_as: a}, e: {same_as: b, inputs: d}, last: {name: output}}"
    (problem,) = problems_of(text)
    assert problem.path == "architecture.layers.a"


def test_layers_in_a_cycle_are_looked_at_as_well():
    text = "{blocks: {b: {layers: [{name: dense, units: 3}]}}, layers: {p: {name: b}, q: {same_as: p, inputs: r}, r: {name: add, inputs: [q, p], axis: 1}, last: output}}"
    assert [p.path for p in problems_of(text)] == ["architecture.layers.q", "architecture.layers.r.axis"]


def test_functional_disconnected():
    """Section 7.1.1: an input unrelated to the output. Keras raises when the model is made; so do we, and name both."""
    data = spec({"input_1": (64,), "unrelated_input": (32,)}, {"y": TargetSpec("multiclass", classes=10)})
    text = """
    layers:
      dense_1: {name: dense, units: 32, activation: relu, inputs: input_1}
      dense_2: {name: dense, units: 32, activation: relu}
      dense_3: {name: dense, units: 10, activation: softmax}
    """
    (problem,) = problems_of(text, data)
    assert problem.message == "the outputs do not depend on the input 'unrelated_input', only on: input_1"
    # And the other way round: what the output needs is no input of the data.
    (problem,) = problems_of(text, spec({"unrelated_input": (32,)}, {"y": TargetSpec("multiclass", classes=10)}))
    assert problem.path == "architecture.layers.dense_1.inputs"
    assert problem.message == "no layer or input is called 'input_1'"


TASK = """# @package _global_
# A graph with mistakes.
defaults:
  - override /dataset: boston_housing
  - override /architecture: graph
"""


@pytest.fixture
def trained(project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """What `dlrun train` says of a task with such an architecture. No data may be read."""
    monkeypatch.setattr("dlrun.datasets.boston_housing.BostonHousing.load", None, raising=False)
    monkeypatch.setattr("dlrun.registry._plugin_dirs", [])

    def train(text: str, *words: str) -> str:
        folder = project / "own" / "configs" / "task"
        folder.mkdir(parents=True, exist_ok=True)
        (project / "own" / "layers").mkdir(exist_ok=True)
        (folder / "mistaken.yaml").write_text(TASK + yaml.safe_dump({"architecture": yaml.safe_load(text)}))
        assert main(["train", "--plugins", "own", "task=mistaken", *words]) == 2
        assert not Path("runs").exists()
        return capsys.readouterr().err

    return train


def test_the_screen(trained):
    said = trained(
        "layers: {a: {name: dens, units: 3}, b: {name: dense, units: three}, c: {name: add, inputs: [a, q]}, last: output}"
    )
    assert "3 problems" in said
    assert "1. architecture.layers.c.inputs: no layer or input is called 'q'" in said
    assert "architecture.layers.a: no layer is called 'dens'\n   Did you mean 'dense'?" in said
    assert "Traceback" not in said


def test_an_activation_that_the_loss_can_not_have(trained):
    """There is no key `architecture.output_activation` here that a user could look for."""
    said = trained(
        "{layers: [{name: dense, units: 1, activation: relu}]}", "loss=binary_crossentropy", "dataset=points_2d"
    )
    assert "1. architecture: binary_crossentropy needs sigmoid as the last activation, the model has relu" in said


@pytest.mark.parametrize(("text", "said"), [
    ("layers: dense", "architecture.layers: expected a dictionary or a list, received 'dense' (str)"),
    ("layers: null", "architecture.layers"),
    ("{layers: [output], blocks: [3]}", "architecture.blocks: expected a dictionary"),
    ("{layers: [output], outputs: [y]}", "architecture.outputs: expected a dictionary"),
    ("{layers: {a: {name: dense, units: 1}}, outputs: {price: 5}}", "architecture.outputs.price: expected a string, received 5 (int)"),
    ("layers: {1: output}", "architecture.layers"),
])  # fmt: skip
def test_types_of_the_architecture_itself(text, said, trained):
    assert said in trained(text)
