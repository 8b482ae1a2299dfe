"""A graph in a file: a picture laid out by Graphviz (book 7.2.2), or the YAML that gives it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from dlrun.errors import ConfigError, Problem, RunError
from dlrun.graphs.network import Network, Placed
from dlrun.graphs.summary import shape

FORMATS = (".svg", ".png", ".pdf", ".dot", ".yaml")
SECONDS = 60


def draw(graph: Network, file: Path, shapes: bool = True, nested: bool = False) -> None:
    """Write a picture; the ending says of which kind, `.dot` is Graphviz's own text and needs no Graphviz. shapes: of
    what each layer gives. nested: blocks with what is in them. Raises ConfigError and RunError."""
    check(file)
    text = "\n".join(dot(graph, shapes, nested)) + "\n"
    if file.suffix == ".dot":
        file.write_text(text, encoding="utf-8")
        return
    command = ["dot", f"-T{file.suffix[1:]}", "-o", str(file)]
    try:
        done = subprocess.run(command, input=text, text=True, capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise RunError(f"Graphviz has not drawn {file} in {SECONDS} s: leave blocks closed, or take a .dot") from None
    if done.returncode:
        raise RunError(f"Graphviz can't draw {file}: {(done.stderr.splitlines() or ['no reason given'])[0]}")


def export(graph: Network, file: Path, blocks: dict[str, Any] | None) -> None:
    """Write the `architecture` of a task that gives this graph: the language of docs/graphs.md, nothing left out."""
    layers = {node.name: node.written for node in graph.nodes}
    architecture = {"name": "graph", "layers": layers, "outputs": getattr(graph, "ends", None), "blocks": blocks}
    file.write_text(yaml.safe_dump({"architecture": architecture}, sort_keys=False), encoding="utf-8")


def check(file: Path) -> None:
    """Raises ConfigError where nothing could be written to `file`."""
    if file.suffix not in FORMATS:
        message = f"expected a file that ends in {', '.join(FORMATS)}, received '{file}'"
        raise ConfigError(Problem("graph", message))
    if not file.parent.is_dir():
        raise ConfigError(Problem("graph", f"there is no folder '{file.parent}'"))
    if file.suffix not in (".dot", ".yaml") and shutil.which("dot") is None:
        hint = (
            "install Graphviz (apt install graphviz, brew install graphviz, conda install graphviz), "
            f"or write its text: graph={file.with_suffix('.dot')}"
        )
        raise ConfigError(
            Problem("graph", "the picture is drawn by Graphviz, and its program 'dot' is not there", hint)
        )


def dot(graph: Network, shapes: bool, nested: bool) -> Iterator[str]:
    """The text that Graphviz reads, line by line."""
    yield "digraph {"
    yield '  node [shape=box, style="rounded,filled", fillcolor="#f4f6fb", color="#5b6b8c"];'
    yield '  node [fontname="Helvetica", fontsize=11];'
    yield '  edge [color="#5b6b8c", arrowsize=0.7];'
    yield '  graph [fontname="Helvetica", fontsize=11, nodesep=0.3, ranksep=0.35];'
    for name, given in graph.inputs.items():
        label = f"{name}\n{shape(given)}" if shapes else name
        yield f'  {_quoted(name)} [label={_quoted(label)}, fillcolor="#fff3d6"];'
    edges: list[tuple[str, str]] = []
    yield from _nodes(graph, "", {name: name for name in graph.inputs}, edges, shapes, nested, "  ")
    yield from (f"  {_quoted(one)} -> {_quoted(other)};" for one, other in edges)
    yield "}"


def _nodes(
    graph: Network,
    path: str,
    made: dict[str, str],
    edges: list[tuple[str, str]],
    shapes: bool,
    nested: bool,
    indent: str,
) -> Iterator[str]:
    """Nodes, those of a block in a frame. made: what gives each of the values, by name; what the nodes give is added.
    edges: are added, too, and drawn at the end, because whatever an edge in a frame names is put into the frame."""
    for node in graph.nodes:
        name, module = path + node.name, graph.get_submodule(node.same_as or node.name)
        read = [made[source] for source in node.reads]
        if nested and isinstance(module, Network):
            yield f"{indent}subgraph {_quoted('cluster_' + name)} {{"
            yield f'{indent}  label={_quoted(_called(node))}; color="#aab4c8"; style=rounded;'
            inner = dict(zip(module.inputs, read, strict=True))
            yield from _nodes(module, f"{name}.", inner, edges, shapes, nested, indent + "  ")
            yield f"{indent}}}"
            several = len(module.outputs) > 1
            made |= {f"{node.name}.{end}" if several else node.name: inner[end] for end in module.outputs}
            continue
        label = f"{_called(node)}\n{' '.join(map(shape, node.outputs))}" if shapes else _called(node)
        yield f"{indent}{_quoted(name)} [label={_quoted(label)}];"
        edges += [(source, name) for source in read]
        ends = module.outputs if isinstance(module, Network) and len(module.outputs) > 1 else ()
        made |= {node.name: name, **{f"{node.name}.{end}": name for end in ends}}


def _called(node: Placed) -> str:
    return f"{node.name}: {node.kind}" + (f"\nweights of {node.same_as}" if node.same_as else "")


def _quoted(text: str) -> str:
    """As Graphviz reads a string; JSON's escapes of quotes, backslashes and new lines are the same."""
    return json.dumps(text, ensure_ascii=False)
