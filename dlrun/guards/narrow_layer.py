"""A hidden layer that gives fewer numbers than there are classes: what it drops is lost (book 3.5.7)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from dlrun.guarding import Context
from dlrun.layers._head import Head
from dlrun.layers._spec import TensorSpec


def build() -> NarrowLayer:
    """Speaks of multiclass and multilabel targets."""
    return NarrowLayer()


class NarrowLayer:
    """See `build`."""

    def check(self, context: Context) -> list[str]:
        """One sentence, on the narrowest layer and the target with most classes."""
        targets = context.parts.spec.targets.items()
        classes, name = max(
            ((target.classes, name) for name, target in targets if target.problem in ("multiclass", "multilabel")),
            default=(0, ""),
        )
        with torch.device("meta"):
            widths = dict(_hidden(context.parts.model(0)))
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


def _hidden(module: nn.Module, path: str = "") -> Iterator[tuple[str, int]]:
    """Path and width of the layers with parameters, the head's left out."""
    if isinstance(module, Head):
        return
    output = getattr(module, "output", None)
    if isinstance(output, TensorSpec) and any(True for _ in module.parameters(recurse=False)):
        yield f"{path} ({type(module).__name__})", output.size
    for name, child in module.named_children():
        yield from _hidden(child, f"{path}.{name}".strip("."))
