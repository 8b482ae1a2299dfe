"""What a picture becomes on its way: every channel of every layer (book 5.4.1)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from dlrun.explaining import _layers
from dlrun.explaining._layers import Layer
from dlrun.explaining._pictures import called, coloured, enlarged, is_blank, mosaic, safe, save, spread, stem
from dlrun.explaining._report import Report
from dlrun.explaining._subject import Subject, pixels
from dlrun.explaining._tracing import traced


@dataclass
class Activations:
    """See `Method`."""

    image: str
    input: str
    layer: str
    channels: str
    classes = False

    def explain(self, subject: Subject, folder: Path) -> Report:
        """Figure 5-27: a mosaic of 16 channels a row for each layer, or the channels asked for, one file each."""
        name = subject.picture(self.input)
        chosen = _layers.named(subject.network, self.layer) or _layers.overview(subject.network)
        numbers = {layer.name: _layers.numbers(self.channels, layer.shape[-1], layer.name) for layer in chosen}
        inputs = subject.inputs(subject.encode(self.image))
        column = inputs[name]
        assert isinstance(column, Tensor)
        maps, _ = traced(subject.model, inputs | {name: column.requires_grad_()}, name, chosen, whole=False)
        place = folder / "activations" / stem(self.image, name)
        read = pixels(column[0], subject.spec.inputs[name])
        files = [save(place / "input.png", enlarged(read, min(read.shape[:2])))]
        rows = []
        for layer in chosen:
            found = maps[layer.name][0].detach().cpu().numpy()
            written = self._write(layer, found, numbers[layer.name], place)
            height, width, channels = found.shape
            blank = int(is_blank(found).sum())
            rows.append(
                [layer.name, channels, f"{height} x {width}", f"{blank} ({blank / channels:.0%})", written[0].name]
            )
            files += written
        columns = ["layer", "channels", "height x width", "blank", "file"]
        return Report(called(self.image, name), columns, rows, columns[1:4], files)

    def _write(self, layer: Layer, maps: np.ndarray, numbers: list[int], place: Path) -> list[Path]:
        visible = spread(maps)
        if not numbers:
            return [save(place / f"{safe(layer.name)}.png", coloured(mosaic(visible), "viridis"))]
        return [
            save(place / f"{safe(layer.name)}_channel{n}.png", enlarged(coloured(visible[..., n], "viridis")))
            for n in numbers
        ]


def build(*, image: str, input: str = "", layer: str = "", channels: str = "") -> Activations:
    """image: what the net is given to read. input: which of several pictures. layer: names, separated by commas.
    channels: indices such as `4,7` or `0-15`; without them all in one mosaic."""
    return Activations(image, input, layer, channels)
