"""Any acyclic graph of layers, written in YAML: Keras's functional API as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from dlrun.contracts import Column, DataSpec
from dlrun.errors import ConfigError, Problem, available, nearest
from dlrun.graphs.blocks import Library
from dlrun.graphs.building import Graph
from dlrun.graphs.network import Network
from dlrun.graphs.nodes import Node, read
from dlrun.graphs.weights import load
from dlrun.layers._activations import ACTIVATIONS, Activation
from dlrun.layers._head import LAST_ACTIVATION, shaped
from dlrun.layers._spec import TensorSpec

LAYERS, BLOCKS = "architecture.layers", "architecture.blocks"


def build(
    spec: DataSpec,
    *,
    layers: dict[str, Any] | list[Any] | None = None,
    outputs: dict[str, str] | None = None,
    blocks: dict[str, Any] | None = None,
    weights: str | None = None,
) -> nn.Module:
    """The book's section 7.1; docs/graphs.md has the language.

    layers: names with layers, or a list of layers of which each reads the one before it. outputs: target to the node
    that gives its prediction; not needed for the last node where there is one target, nor for a layer called `output`,
    which takes units and activation from the data. blocks: graphs with parameters, to be used like layers. weights: a
    file to begin with, see `graphs/weights.py`. Raises ConfigError with all that is wrong.
    """
    problems: list[Problem] = []
    nodes = read(layers, list(spec.inputs), LAYERS, problems)
    nodes, ends = _ends(nodes, spec, outputs, problems)
    library = Library(blocks or {}, BLOCKS)
    problems += library.wrong()
    graph = Graph(library, LAYERS, problems, held_back=list(ends.values()), sample=spec.sample)
    inputs = {name: TensorSpec.of(given) for name, given in spec.inputs.items()}
    network, shapes = graph.build(nodes, inputs, list(ends.values()))
    for (target, name), shape in zip(ends.items(), shapes, strict=True):
        wanted = spec.targets[target]
        flat = (wanted.units,)
        expected = flat if wanted.problem in ("multiclass", "multilabel") or not wanted.shape else wanted.shape
        if shape is not None and shape not in (TensorSpec(flat), TensorSpec(expected), TensorSpec(wanted.shape)):
            message = f"'{name}' gives {shape}, the target '{target}' needs {TensorSpec(expected)}"
            problems.append(
                Problem(f"{LAYERS} (outputs)", message, "let a layer of {name: output} follow: it has the right size")
            )
    if problems or network is None:
        raise ConfigError(problems)
    activations: dict[str, Any] = {target: graph.activation(name) for target, name in ends.items()}
    model = GraphModel(network, spec, ends, activations)
    if weights is not None:
        model.fingerprint = load(model, weights)
    return model


def _ends(
    nodes: list[Node], spec: DataSpec, outputs: dict[str, str] | None, problems: list[Problem]
) -> tuple[list[Node], dict[str, str]]:
    """The nodes with `output` layers filled in from the data, and which node each target's prediction is."""
    ends = dict(outputs or {})
    for named in ends:
        if named not in spec.targets:
            hint = f"{nearest(named, spec.targets)} {available(spec.targets)}".strip()
            problems.append(Problem("architecture.outputs", f"no target '{named}' in the data", hint))
    ends = {target: name for target, name in ends.items() if target in spec.targets}
    filled = []
    for node in nodes:
        if node.kind == "output":
            target = _target(node, spec, problems)
            if target is None:
                node = replace(node, wrong=True)
            elif target in ends:
                problems.append(Problem(node.path, f"two layers give '{target}': {ends[target]} and {node.name}"))
                node = replace(node, wrong=True)
            else:
                ends[target] = node.name
                arguments = {k: v for k, v in node.described.items() if k != "target"}
                of_data = {
                    "units": spec.targets[target].units,
                    "activation": LAST_ACTIVATION[spec.targets[target].problem],
                }
                node = replace(node, described={**of_data, **arguments, "name": "dense"})
        filled.append(node)
    if not ends and len(spec.targets) == 1 and nodes:
        ends = {next(iter(spec.targets)): nodes[-1].name}
    missing = [target for target in spec.targets if target not in ends]
    if missing and not problems:
        message = f"no layer gives the target{'s' * (len(missing) > 1)} {', '.join(missing)}"
        problems.append(
            Problem("architecture.outputs", message, "add {name: output, target: …}, or outputs: {target: layer}")
        )
    return filled, ends


def _target(node: Node, spec: DataSpec, problems: list[Problem]) -> str | None:
    """Which target an `output` layer is for."""
    named = node.described.get("target", node.name if node.name in spec.targets else None)
    if named is None and len(spec.targets) == 1:
        return next(iter(spec.targets))
    if not isinstance(named, str) or named not in spec.targets:
        hint = f"{nearest(str(named), spec.targets)} {available(spec.targets)}".strip()
        message = (
            f"no target '{named}' in the data" if named else f"the data have {len(spec.targets)} targets: name one"
        )
        problems.append(Problem(f"{node.path}.target", message, hint))
        return None
    return named


class GraphModel(Network):
    """A network from inputs by name to outputs by name. ends: target to the node that gives it. output_activations:
    target to the name of its last activation, for `losses._table.check`. fingerprint: of the file that its weights are
    from, if any; part of a run's signature."""

    fingerprint: str | None = None

    def __init__(self, network: Network, spec: DataSpec, ends: dict[str, str], activations: dict[str, Activation]):
        layers = dict(network.named_children())
        super().__init__(network.inputs, network.nodes, layers, network._plan, network._results, network.outputs)
        self.ends = ends
        self.targets = {name: spec.targets[name] for name in activations}
        self.output_activations = activations

    def forward(self, inputs: Mapping[str, Column]) -> dict[str, Tensor]:
        """inputs[name]: [B, *shape], or `Bags` of B rows.

        For each target `t`: `outputs[t]`, activated, and `outputs[t + "_logits"]`, the value before. Their shape is
        [B] for binary and scalar regression, [B, classes] for multiclass and multilabel, [B, *shape] otherwise.
        """
        found = super().forward(*[inputs[name] for name in self.inputs])
        outputs: dict[str, Tensor] = {}
        for (name, target), logits in zip(
            self.targets.items(), (found,) if len(self.targets) == 1 else found, strict=True
        ):
            outputs[name] = shaped(ACTIVATIONS[self.output_activations[name]](logits), target)
            outputs[name + "_logits"] = shaped(logits, target)
        return outputs
