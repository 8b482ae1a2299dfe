"""What each filter of a layer answers to most: patterns by gradient ascent from grey noise (book 5.4.2)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dlrun.contracts import Column
from dlrun.errors import ConfigError, Problem
from dlrun.explaining import _layers
from dlrun.explaining._layers import Layer
from dlrun.explaining._pictures import safe, save
from dlrun.explaining._report import Report
from dlrun.explaining._subject import Subject
from dlrun.explaining._tracing import traced
from dlrun.seeds import derive
from dlrun.types import Count, Natural, Positive

TILE, SINGLE, GRID, MARGIN = 64, 150, 8, 5
"""Pixels of a pattern in a grid and alone, patterns a side, and black pixels between them."""

TOGETHER = 16
"""Patterns that are made at once."""


@dataclass
class Filters:
    """See `Method`."""

    input: str
    layer: str
    channels: str
    steps: int
    step_size: float
    size: int
    seed: int
    classes = False

    def explain(self, subject: Subject, folder: Path) -> Report:
        """Figures 5-30 to 5-33: a grid of each layer's first 64 filters, or the filters asked for, one file each."""
        name = subject.picture(self.input)
        chosen = _layers.named(subject.network, self.layer) or _layers.first_of_each_size(subject.network)
        numbers = {layer.name: _layers.numbers(self.channels, layer.shape[-1], layer.name) for layer in chosen}
        place = folder / "filters"
        files, rows = [], []
        for layer in chosen:
            size = self._size(subject, name, layer, SINGLE if numbers[layer.name] else TILE)
            asked = numbers[layer.name] or list(range(min(layer.shape[-1], GRID * GRID)))
            patterns, first, last = self._ascend(subject, name, layer, asked, size)
            shown = [visible(pattern) for pattern in patterns]
            if numbers[layer.name]:
                pairs = zip(asked, shown, strict=True)
                written = [save(place / f"{safe(layer.name)}_filter{n}.png", pattern) for n, pattern in pairs]
            else:
                written = [save(place / f"{safe(layer.name)}.png", grid(shown))]
            rose = f"{int((last > first).sum())} of {len(asked)}"
            means = [f"{float(first.mean()):.4g}", f"{float(last.mean()):.4g}"]
            rows.append([layer.name, len(asked), f"{size[0]} x {size[1]}", *means, rose, written[0].name])
            files += written
        columns = ["layer", "filters", "pattern", "mean before", "after", "rose", "file"]
        remarks = ["a filter that noise does not wake stays grey; a larger size= gives it more places to wake at"]
        asleep = any(row[5] != f"{row[1]} of {row[1]}" for row in rows)
        return Report(f"{self.steps} steps of {self.step_size:g}", columns, rows, columns[1:6], files, remarks * asleep)

    def _size(self, subject: Subject, name: str, layer: Layer, usual: int) -> tuple[int, int]:
        """Height and width of a pattern: as asked for, else the book's where the net can read such pictures, else those
        of its own input. Raises ConfigError."""
        height, width, *_ = subject.spec.inputs[name].shape
        tries = [(self.size, self.size)] if self.size else [(usual, usual), (height, width)]
        for size in tries:
            with torch.no_grad():
                start = self._start(subject, name, [0], size)
            try:
                traced(subject.model, self._inputs(subject, name, start.requires_grad_()), name, [layer], whole=False)
            except (RuntimeError, ValueError) as error:
                why = str(error).splitlines()[0] if str(error) else type(error).__name__
                continue
            return size
        message = f"{layer.name} can't be reached from pictures of {tries[-1][0]} x {tries[-1][1]} pixels: {why}"
        raise ConfigError(Problem("size", message, f"the net was made for {height} x {width}"))

    def _ascend(
        self, subject: Subject, name: str, layer: Layer, filters: list[int], size: tuple[int, int]
    ) -> tuple[list[np.ndarray], Tensor, Tensor]:
        """Patterns [height, width, 1 or 3] of the filters, and each one's mean answer before and after, [filters]."""
        patterns, before, after = [], [], []
        for at in range(0, len(filters), TOGETHER):
            some = filters[at : at + TOGETHER]
            picture = self._start(subject, name, some, size)
            for step in range(self.steps + 1):
                answers = self._answers(subject, name, layer, some, picture.requires_grad_())
                if step == 0:
                    before.append(answers.detach().cpu())
                if step < self.steps:
                    (gradient,) = torch.autograd.grad(answers.sum(), picture)
                    picture = (picture + self.step_size * normalized(gradient)).detach()
            after.append(answers.detach().cpu())
            patterns += list(picture.detach().cpu().double().reshape(len(some), *size, -1).numpy())
        return patterns, torch.cat(before), torch.cat(after)

    def _answers(self, subject: Subject, name: str, layer: Layer, filters: list[int], picture: Tensor) -> Tensor:
        """The mean of filter filters[i] over the map of picture i."""
        maps, _ = traced(subject.model, self._inputs(subject, name, picture), name, [layer], whole=False)
        return maps[layer.name].mean((1, 2))[range(len(filters)), filters]

    def _start(self, subject: Subject, name: str, filters: list[int], size: tuple[int, int]) -> Tensor:
        """Noise of 128 to 148 of 255, for each filter its own."""
        shape = (*size, *subject.spec.inputs[name].shape[2:])
        noise = [torch.Generator().manual_seed(derive(self.seed, "filters", n)) for n in filters]
        start = torch.stack([128 + 20 * torch.rand(shape, generator=one) for one in noise])
        return start.to(subject.device, subject.dtype)

    def _inputs(self, subject: Subject, name: str, picture: Tensor) -> dict[str, Column]:
        """Pixels as the model reads them, beside nothing in its other inputs."""
        others = subject.nothing(len(picture))
        return others | {name: picture / subject.spec.inputs[name].divide_by}


def normalized(gradient: Tensor) -> Tensor:
    """[B, …], each divided by the root of its mean square, which the book calls its L2 norm."""
    square = gradient.flatten(1).square().mean(1)
    return gradient / (square.sqrt() + 1e-5).view(-1, *[1] * (gradient.ndim - 1))


def visible(pattern: np.ndarray) -> np.ndarray:
    """Listing 5-37: float [height, width, 1 or 3] to uint8 [height, width, 3] of mean 127 and deviation 25.5, cut."""
    scaled = (pattern - pattern.mean()) / (pattern.std() + 1e-5) * 0.1 + 0.5
    found = (scaled.clip(0, 1) * 255).astype(np.uint8)
    return found.repeat(3, -1) if found.shape[-1] == 1 else found


def grid(patterns: list[np.ndarray]) -> np.ndarray:
    """Listing 5-39: at most 64, eight a side, with black margins; row i, column j has pattern i + 8 j."""
    height, width, _ = patterns[0].shape
    canvas = np.zeros((GRID * height + (GRID - 1) * MARGIN, GRID * width + (GRID - 1) * MARGIN, 3), np.uint8)
    for n, pattern in enumerate(patterns):
        top, left = (n % GRID) * (height + MARGIN), (n // GRID) * (width + MARGIN)
        canvas[top : top + height, left : left + width] = pattern
    return canvas


def build(
    *,
    input: str = "",
    layer: str = "",
    channels: str = "",
    steps: Count = 40,
    step_size: Positive = 1.0,
    size: Natural = 0,
    seed: Natural = 0,
) -> Filters:
    """input: which of several pictures. layer: names, separated by commas. channels: filters such as `0,7` or `0-15`;
    without them the first 64 in a grid. steps, step_size: of the ascent, in grey levels of 255. size: pixels of a
    pattern; 0: 64 in a grid and 150 alone, or the net's own input where it can read no others. seed: of the noise."""
    return Filters(input, layer, channels, steps, step_size, size, seed)
