"""How the nodes of a graph hang together: an order in which each comes after what it reads, or why there is none."""

from __future__ import annotations

from collections.abc import Sequence

from dlrun.errors import Problem
from dlrun.graphs.nodes import Node, unknown


def source(reference: str) -> str:
    """The node or input in `node` or `block.node`."""
    return reference.partition(".")[0]


def ordered(
    nodes: list[Node], inputs: Sequence[str], outputs: Sequence[str], path: str, problems: list[Problem]
) -> list[Node]:
    """The nodes, each after what it reads. Adds to `problems` unknown names, cycles, nodes that lead to no output, and
    inputs that nothing reads; what is in a cycle or depends on one is left out."""
    by_name = {node.name: node for node in nodes}
    known = [*inputs, *by_name]
    for node in nodes:
        lost = [name for name in node.inputs if source(name) not in known]
        problems += [unknown(name, known, f"{node.path}.inputs") for name in lost]
        if node.same_as is not None and node.same_as not in by_name:
            problems.append(unknown(node.same_as, list(by_name), f"{node.path}.same_as"))
        elif node.same_as is not None and by_name[node.same_as].same_as is not None:
            problems.append(
                Problem(f"{node.path}.same_as", f"'{node.same_as}' is itself the same as another", "name that one")
            )
    done: dict[str, Node] = {}
    waiting = list(nodes)
    while waiting:
        ready = [node for node in waiting if all(name not in by_name or name in done for name in needs(node))]
        if not ready:
            problems.append(_cycle(waiting, by_name))
            break
        done[ready[0].name] = ready[0]  # one at a time: what is written first comes first
        waiting.remove(ready[0])
    if not problems:  # a name that is wrong makes others look loose
        problems += _loose(nodes, by_name, inputs, outputs, path)
    return list(done.values())


def needs(node: Node) -> list[str]:
    """The names of nodes and inputs that must be there before it."""
    return [source(name) for name in node.inputs] + ([node.same_as] if node.same_as else [])


def _cycle(waiting: list[Node], by_name: dict[str, Node]) -> Problem:
    """From any node that waits, back along what waits, until one comes again."""
    names = {node.name for node in waiting}
    seen: list[str] = []
    at = waiting[0].name
    while at not in seen:
        seen.append(at)
        at = next(name for name in needs(by_name[at]) if name in names)
    circle = [at, *reversed(seen[seen.index(at) :])]
    return Problem(
        by_name[at].path, f"a cycle: {' → '.join(circle)}", "a layer can't read what comes of its own output"
    )


def _loose(
    nodes: list[Node], by_name: dict[str, Node], inputs: Sequence[str], outputs: Sequence[str], path: str
) -> list[Problem]:
    """Nodes that lead to no output, and inputs that nothing reads."""
    used: set[str] = set()
    todo = [source(name) for name in outputs]
    while todo:
        name = todo.pop()
        if name not in used:
            used.add(name)
            todo += needs(by_name[name]) if name in by_name else []
    ends = [node for node in nodes if node.name not in used and not any(node.name in needs(n) for n in nodes)]
    problems = [
        Problem(
            node.path,
            f"'{node.name}' leads to no output",
            "let another layer read it, name it an output, or take it away",
        )
        for node in ends
    ]
    if not ends:
        unread = [name for name in inputs if name not in used]
        reached = ", ".join(sorted(set(inputs) & used)) or "none"
        problems += [
            Problem(path, f"the outputs do not depend on the input '{name}', only on: {reached}", "let a layer read it")
            for name in unread
        ]
    return problems
