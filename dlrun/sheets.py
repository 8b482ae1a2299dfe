"""Pictures side by side on one PNG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dlrun.errors import ConfigError, Problem
from dlrun.files import writing

if TYPE_CHECKING:
    import numpy as np

    from dlrun.contracts import DataSpec


class Tile(NamedTuple):
    """pixels: [H, W], [H, W, 1] or [H, W, 3], uint8 or floats from 0 to 1. title: above it."""

    pixels: np.ndarray
    title: str


def draw(tiles: Sequence[Tile], columns: int, path: Path, title: str) -> None:
    """Write them in rows of so many. Raises RunError when the file can't be written."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = -(-len(tiles) // columns)
    figure = Figure(figsize=(1.4 * columns, 1.5 * rows + 0.3), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=11, parse_math=False)
    for place, tile in enumerate(tiles, 1):
        axes = figure.add_subplot(rows, columns, place)
        bright = 255 if tile.pixels.dtype == "uint8" else 1.0
        grey = tile.pixels.ndim == 3 and tile.pixels.shape[-1] == 1
        axes.imshow(tile.pixels[..., 0] if grey else tile.pixels.clip(0, bright), cmap="gray", vmin=0, vmax=bright)
        axes.set_title(tile.title, fontsize=8, parse_math=False)
        axes.set_axis_off()
    with writing(path) as aside:
        figure.savefig(aside, format="png", dpi=120)


def check(word: str, path: Path) -> None:
    """Raises ConfigError where `word=path` does not name a PNG."""
    if path.suffix != ".png":
        raise ConfigError(Problem(word, f"expected the name of a .png file, received '{path}'"))


def picture(spec: DataSpec) -> str | None:
    """The first input that is pictures: stored values of 0 to 255, [H, W], [H, W, 1] or [H, W, 3]."""
    shapes = {name: given.shape for name, given in spec.inputs.items() if given.divide_by == 255}
    return next((n for n, s in shapes.items() if len(s) == 2 or (len(s) == 3 and s[-1] in (1, 3))), None)
