"""Handwritten digits: 60,000 + 10,000 grey pictures of 28 x 28 (section 2.1)."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from dlrun.contracts import Data, DataSpec, InputSpec, Rows, TargetSpec
from dlrun.datasets._cache import encoded
from dlrun.datasets._files import File, Source, checksum, fetch, resolve
from dlrun.datasets._mnist_sample import draw
from dlrun.errors import DataError

ENCODING = 1  # raise when the encoded tensors change
SIDE = 28  # pixels

_BASE = "https://ossci-datasets.s3.amazonaws.com/mnist/"


def _file(name: str, sha256: str, size: int) -> File:
    return File("mnist", name, _BASE + name, sha256, size)


FILES = (
    _file(
        "train-images-idx3-ubyte.gz",
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        9_912_422,
    ),
    _file(
        "train-labels-idx1-ubyte.gz",
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        28_881,
    ),
    _file(
        "t10k-images-idx3-ubyte.gz",
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        1_648_877,
    ),
    _file(
        "t10k-labels-idx1-ubyte.gz",
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        4_542,
    ),
)
COLUMNS = ("train_image", "train_digit", "test_image", "test_digit")

SPEC = DataSpec(
    inputs={"image": InputSpec(shape=(SIDE, SIDE), divide_by=255.0)},
    targets={"digit": TargetSpec("multiclass", classes=10, labels=tuple("0123456789"))},
    rows={"train": 60_000, "test": 10_000},
)


@dataclass
class Mnist:
    """See contracts.Dataset. Images are uint8 [N, 28, 28], 0 for paper and 255 for ink; digits int64 [N]."""

    source: Source
    spec: DataSpec = SPEC
    stretched: ClassVar[bool] = False
    _resolved: Literal["real", "sample"] | None = field(default=None, init=False)

    def resolve_source(self) -> Literal["real", "sample"]:
        """Real, or sample where that was asked for or `auto` found no files."""
        if self._resolved is None:
            self._resolved = resolve(self.source, "mnist", lambda: [fetch(file) for file in FILES])
        return self._resolved

    def load(self) -> Data:
        """All pictures. Raises DataError."""
        source = self.resolve_source()
        if source == "sample":
            columns, checksums = {name: torch.from_numpy(a) for name, a in draw().items()}, {}
        else:
            paths = [fetch(file) for file in FILES]
            checksums = {path.name: checksum(path) for path in paths}
            key = {"encoding": ENCODING, "checksums": checksums}
            columns = dict(encoded("mnist", key, _read_all))
        return Data(
            self.spec,
            train=Rows({"image": columns["train_image"]}, {"digit": columns["train_digit"]}),
            test=Rows({"image": columns["test_image"]}, {"digit": columns["test_digit"]}),
            source=source,
            checksums=checksums,
        )

    def encode(self, raw: str) -> Rows:
        """One picture file of any size, dark on bright or bright on dark, as one row [1, 28, 28]."""
        from PIL import Image, ImageOps

        try:
            with Image.open(raw) as picture:
                rgba = picture.convert("RGBA")
        except (OSError, ValueError, Image.DecompressionBombError) as error:
            raise DataError(f"expected the path of a picture file, received {raw!r}: {error}") from None
        # What is transparent shows paper, so a drawing without background keeps its strokes.
        grey = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("L")
        pixels = np.asarray(grey)
        border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
        paper = int(np.median(border))
        pixels = np.asarray(ImageOps.pad(grey, (SIDE, SIDE), color=paper))
        if paper > 127:
            pixels = 255 - pixels
        return Rows({"image": torch.from_numpy(pixels.copy())[None]}, {})

    def describe(self, data: Data, part: str, row: int) -> str:
        """The label, and how much of the picture is ink."""
        rows: Rows = getattr(data, part)
        image = rows.inputs["image"]
        assert isinstance(image, Tensor)
        return f"{int(rows.targets['digit'][row])} (mean ink {image[row].float().mean() / 255:.2f})"


def build(*, source: Source = "real") -> Mnist:
    """source: `real`, `sample` (6,000 + 1,000 digits drawn here) or `auto` (real where it can be had)."""
    return Mnist(source)


def _read_all() -> dict[str, Tensor]:
    arrays = [_read_idx(file) for file in FILES]
    tensors = [torch.from_numpy(a if a.ndim == 3 else a.astype(np.int64)) for a in arrays]
    columns = dict(zip(COLUMNS, tensors, strict=True))
    assert columns["train_image"].shape == (60_000, SIDE, SIDE)
    assert columns["test_image"].shape == (10_000, SIDE, SIDE)
    return columns


def _read_idx(file: File) -> np.ndarray:
    """An idx file of bytes: two zeros, the type 8, the rank, the big-endian sizes, then the values."""
    content = gzip.decompress(fetch(file).read_bytes())
    rank = content[3]
    assert content[:3] == b"\0\0\x08", "not an idx file of bytes"
    shape = np.frombuffer(content, ">i4", rank, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * rank).reshape(shape).copy()
