"""Where in a picture a net finds a class: Grad-CAM, as a heatmap and over the picture (book 5.4.3)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from dlrun.errors import ConfigError, Problem
from dlrun.explaining import _classes, _layers
from dlrun.explaining._pictures import called, coloured, enlarged, levels, overlaid, safe, save, seen, stem
from dlrun.explaining._report import Report
from dlrun.explaining._subject import Subject
from dlrun.explaining._tracing import traced
from dlrun.types import Count

Score = Literal["probability", "logit"]

SURE = 0.999
"""A probability from which on its gradient may vanish."""


@dataclass
class GradCam:
    """See `Method`."""

    image: str
    input: str
    target: str
    layer: str
    class_: str
    top: int
    score: Score
    classes = True

    def explain(self, subject: Subject, folder: Path) -> Report:
        """Figures 5-35 and 5-36, and the likeliest classes."""
        name, target = subject.picture(self.input), _classes.target(subject.spec.targets, self.target)
        layers = _layers.named(subject.network, self.layer) or [_layers.last(subject.network)]
        if len(layers) > 1:
            raise ConfigError(Problem("layer", f"expected one layer, received {len(layers)}"))
        layer = layers[0]
        inputs = subject.inputs(subject.encode(self.image))
        column = inputs[name]
        assert isinstance(column, Tensor)
        maps, outputs = traced(subject.model, inputs | {name: column.requires_grad_()}, name, layers)
        spec = subject.spec.targets[target]
        found = _classes.classes(target, spec, outputs)
        one = _classes.chosen(found, self.class_)
        heat = heatmap(maps[layer.name], one.probability if self.score == "probability" else one.logit)
        place = folder / "gradcam" / stem(self.image, name)
        small, drawn = enlarged(coloured(levels(heat), "viridis")), seen(subject, self.image, name, column)
        files = [
            save(place / f"{safe(one.name)}_heatmap.png", small),
            save(place / f"{safe(one.name)}_overlay.png", overlaid(drawn, heat)),
        ]
        best = _classes.likeliest(found, self.top)
        figure = "probability" if spec.classes else f"value{f' ({spec.unit})' if spec.unit else ''}"
        rows = [[c.name, c.index, f"{c.value:.6f}"] for c in best]
        height, width, channels = maps[layer.name].shape[1:]
        remarks = [f"heatmap of {one.name} (class {one.index}) in {layer.name}, {channels} maps of {height} x {width}"]
        if not heat.any():
            sure = self.score == "probability" and one.value > SURE
            more = "; its probability may be too near 1 for a gradient: try score=logit" if sure else ""
            remarks.append(f"it is empty: nothing in this layer speaks for {one.name}{more}")
        return Report(called(self.image, name), ["class", "index", figure], rows, ["index", figure], files, remarks)


def heatmap(maps: Tensor, score: Tensor) -> np.ndarray:
    """Float [height, width] from 0 to 1, its maximum 1 where anything in the maps raises the score.

    maps: [1, height, width, channels], which the score was computed from. Each is weighed by the mean of the score's
    gradient in it; what speaks against the class is left out (listings 5-42 and 5-43).
    """
    (gradient,) = torch.autograd.grad(score, maps, allow_unused=True)
    if gradient is None:
        raise ConfigError(Problem("layer", "the class does not depend on this layer", "name a layer before it"))
    weights = gradient.mean((0, 1, 2))
    heat = (maps.detach()[0] * weights).mean(-1).clamp(min=0).double().cpu().numpy()
    return np.asarray(heat / heat.max() if heat.max() > 0 else heat)


def build(
    *,
    image: str,
    input: str = "",
    target: str = "",
    layer: str = "",
    class_: str = "",
    top: Count = 5,
    score: Score = "probability",
) -> GradCam:
    """image: what the net is given to read. input: which of several pictures. target: which of several. layer: the last
    convolution's if nothing is said. class_: name or index, the likeliest if nothing is said. top: how many classes
    the table has. score: what the gradient is of, the probability as in the book, or the logit as in the paper."""
    return GradCam(image, input, target, layer, class_, top, score)
