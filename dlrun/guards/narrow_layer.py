"""A hidden layer that gives fewer numbers than there are classes: what it drops is lost (book 3.5.7)."""

from __future__ import annotations

from dlrun.architectures.graph import GraphModel
from dlrun.guarding import Context


def build() -> NarrowLayer:
    """Speaks of multiclass and multilabel targets."""
    return NarrowLayer()


class NarrowLayer:
    """See `build`."""

    def check(self, context: Context) -> list[str]:
        """One sentence, on the narrowest layer that everything passes through, and the target with most classes."""
        targets = context.parts.spec.targets.items()
        classes, name = max(
            ((target.classes, name) for name, target in targets if target.problem in ("multiclass", "multilabel")),
            default=(0, ""),
        )
        graphs = [m for m in context.parts.probe.modules() if isinstance(m, GraphModel)]
        widths: dict[str, int] = {
            f"{node.name} ({node.kind})": node.outputs[0].size
            for graph in graphs
            for node in graph.bottlenecks()
            if any(True for _ in graph.get_submodule(node.name).parameters())
        }
        narrow = {layer: width for layer, width in widths.items() if width < classes}
        if not narrow:
            return []
        layer, width = min(narrow.items(), key=lambda pair: pair[1])
        more = f" (and {len(narrow) - 1} more narrow layer(s))" if len(narrow) > 1 else ""
        where = " (architecture.units)" if "units" in context.config.architecture.args else ""
        return [
            f"hidden layer {layer}{more} gives {width} number(s) a row, and target '{name}' has {classes} classes: "
            f"what does not fit through is lost to all layers behind it (book 3.5.7). Make every hidden layer at least "
            f"{classes} wide{where}"
        ]
