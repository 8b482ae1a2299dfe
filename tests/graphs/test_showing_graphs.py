"""`dlrun show` of graphs: the table, the picture, and the YAML that gives the graph again."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest
import torch
import yaml

from dlrun.architectures import dense, graph
from dlrun.cli import main
from dlrun.contracts import DataSpec, InputSpec, TargetSpec
from dlrun.errors import ConfigError
from dlrun.graphs import drawing, summary

SPEC = DataSpec({"left": InputSpec((9, 4)), "right": InputSpec((9, 4))}, {"same": TargetSpec("binary", 2)})
TWINS = """
layers:
  first: {name: tower, width: 5, inputs: left}
  second: {same_as: first, inputs: right}
  apart: {name: absolute_difference, inputs: [first, second]}
  norm: batch_normalization
  still: {name: dense, units: 3, trainable: false}
  same: output
blocks:
  tower:
    parameters: {width: null}
    inputs: [sequence]
    layers:
      conv: {name: conv1d, filters: $width, kernel_size: 3}
      pooled: global_max_pooling1d
"""


def twins():
    return graph.build(SPEC, **yaml.safe_load(TWINS))


def test_table_of_a_graph():
    lines = {line.path: line for line in summary.lines(twins())}
    assert list(lines) == ["left", "right", "first", "second", "apart", "norm", "still", "same"]
    assert [lines[name].trainable for name in ("first", "second", "norm", "still", "same")] == [65, 0, 10, 0, 4]
    assert [lines[name].frozen for name in ("norm", "still")] == [10, 18]  # 5 x (mean, variance); 5 x 3 + 3
    assert lines["second"].kind == "tower, as first"
    assert lines["apart"].reads == "first, second"
    assert lines["first"].shape == "(None, 5)"
    assert summary.counts(twins()) == (79, 28)
    nested = [line.path for line in summary.lines(twins(), nested=True)]
    assert nested[2:5] == ["first", "first.conv", "first.pooled"]
    assert "second.conv" not in nested  # its weights are counted once


def test_text_for_graphviz_has_all_nodes_and_edges():
    text = "\n".join(drawing.dot(twins(), shapes=True, nested=False))
    edges = re.findall(r'"(\w+)" -> "(\w+)";', text)
    assert set(edges) == {("left", "first"), ("right", "second"), ("first", "apart"), ("second", "apart"),
                          ("apart", "norm"), ("norm", "still"), ("still", "same")}  # fmt: skip
    assert r'"second" [label="second: tower\nweights of first\n(None, 5)"];' in text
    assert "(None" not in "\n".join(drawing.dot(twins(), shapes=False, nested=False))


def test_opened_blocks_are_frames_that_edges_go_through():
    text = "\n".join(drawing.dot(twins(), shapes=False, nested=True))
    assert text.count("subgraph") == 2
    assert '"left" -> "first.conv";' in text
    assert '"first.pooled" -> "apart";' in text


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
@pytest.mark.parametrize("kind", ["svg", "png"])
def test_picture(kind, project, capsys):
    file = Path(f"mnist.{kind}")
    assert main(["show", "task=mnist_dense", "dataset.source=sample", f"graph={file}"]) == 0
    assert f"graph: {file}" in capsys.readouterr().out
    content = file.read_bytes()
    assert content.startswith(b"\x89PNG" if kind == "png" else b"<?xml")
    assert kind == "png" or b"dense_1: dense" in content


def test_without_graphviz_it_says_what_to_do(project, capsys, monkeypatch):
    monkeypatch.setenv("PATH", str(project))
    assert main(["show", "task=mnist_dense", "dataset.source=sample", "graph=mnist.png"]) == 2
    error = capsys.readouterr().err
    assert "apt install graphviz" in error
    assert "graph=mnist.dot" in error
    assert main(["show", "task=mnist_dense", "dataset.source=sample", "graph=mnist.dot"]) == 0
    assert "flatten_1: flatten" in Path("mnist.dot").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["graph=mnist.jpg"], "expected a file that ends in .svg, .png"),
        (["graph=nowhere/mnist.dot"], "there is no folder 'nowhere'"),
        (["nested=perhaps"], "expected true or false, received 'perhaps'"),
    ],
)
def test_wrong_words_are_told(words, said, project, capsys):
    assert main(["show", "task=mnist_dense", *words]) == 2
    assert said in capsys.readouterr().err
    assert not os.listdir()


@pytest.mark.parametrize("given", [TWINS, "layers: [flatten, {name: dense, units: 3, activation: elu}, output]"])
def test_exported_yaml_gives_the_graph_again(given, tmp_path):
    written = yaml.safe_load(given)
    spec = SPEC if "blocks" in written else DataSpec({"x": InputSpec((2, 3))}, SPEC.targets)
    check_export(graph.build(spec, **written), spec, written.get("blocks"), tmp_path)


def test_a_family_is_exported_as_a_graph(tmp_path):
    spec = DataSpec({"x": InputSpec((2, 3))}, {"y": TargetSpec("multiclass", 3), "z": TargetSpec("regression")})
    check_export(dense.build(spec, units=[4, 5], dropout=0.3, l2=0.1), spec, None, tmp_path)


def check_export(model, spec, blocks, folder):
    drawing.export(model, folder / "model.yaml", blocks)
    exported = yaml.safe_load((folder / "model.yaml").read_text())["architecture"]
    assert exported.pop("name") == "graph"
    again = graph.build(spec, **exported)
    again.load_state_dict(model.state_dict())
    rows = {name: torch.randn(4, *given.shape) for name, given in spec.inputs.items()}
    for one, other in zip(model.eval()(rows).values(), again.eval()(rows).values(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
    assert [p.requires_grad for p in again.parameters()] == [p.requires_grad for p in model.parameters()]


def test_no_folder_is_written_to_before_the_ending_is_known():
    with pytest.raises(ConfigError):
        drawing.check(Path("model.gif"))
