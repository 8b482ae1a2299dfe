"""Your own pictures: a folder with one sub-folder per class."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from dlrun.contracts import Data, DataSpec, InputSpec, Rows, TargetSpec
from dlrun.datasets._cache import encoded
from dlrun.datasets._files import Source
from dlrun.datasets._image_files import Found, find
from dlrun.datasets._image_pixels import Color, decode, decode_all, reason, shape
from dlrun.datasets._parts import SEED, check_path, check_source, check_test, cut, refuse
from dlrun.errors import DataError, Problem
from dlrun.memory import require
from dlrun.types import Count

log = logging.getLogger("dlrun")

ENCODING = 1  # raise when the encoded tensors change
IMAGE, LABEL = "image", "class"


@dataclass
class ImageFolder:
    """See contracts.Dataset. `image`: uint8 [N, 3, H, W], grey [N, H, W]; `class`: float32 [N] where there are
    two, int64 [N] where there are more.

    `Data.extras["files"]`: part -> path of each picture, below the folder.
    """

    path: str
    size: tuple[int, int]
    color: Color
    test: float | int

    @cached_property
    def spec(self) -> DataSpec:
        """Found out from the names of the files; no picture is opened. Raises DataError."""
        classes = self._found.classes
        problem: Literal["binary", "multiclass"] = "binary" if len(classes) == 2 else "multiclass"
        return DataSpec(
            {IMAGE: InputSpec(shape(self.size, self.color), divide_by=255.0)},
            {LABEL: TargetSpec(problem, len(classes), labels=classes)},
            {part: len(rows) for part, rows in self._index.items()},
        )

    @property
    def fingerprint(self) -> str:
        """Changes with the pictures and their classes."""
        return bytes(self._tensors["sha256"].numpy()).hex()

    def resolve_source(self) -> Literal["real"]:
        """Always real."""
        return "real"

    def load(self) -> Data:
        """All pictures; decoded once, then mapped from the cache. Raises DataError."""
        tensors, files = self._tensors, self._files
        self._say()
        parts, names = {}, {}
        for part, index in self._index.items():
            labels = self._labels[index]
            target = labels.float() if len(self._found.classes) == 2 else labels
            start = 0 if part == "train" else len(self._index["train"])
            parts[part] = Rows({IMAGE: tensors["image"][start : start + len(index)]}, {LABEL: target})
            names[part] = [str(files[i]) for i in index]
        test = parts["test"] if len(self._index["test"]) else None
        checksums = {self.path: self.fingerprint}
        apart = len(self._found.parts["val"].files) if "val" in self._found.parts else 0
        return Data(self.spec, parts["train"], test, validation=apart, extras={"files": names}, checksums=checksums)

    def encode(self, raw: str) -> Rows:
        """One picture file as one row."""
        try:
            pixels = decode(Path(raw), self.size, self.color)
        except (OSError, ValueError) as error:
            raise DataError(f"expected the path of a picture file, received {raw!r}: {reason(error)}") from None
        return Rows({IMAGE: torch.from_numpy(pixels.copy())[None]}, {})

    def describe(self, data: Data, part: str, row: int) -> str:
        """The class and the file."""
        label = self._found.classes[int(getattr(data, part).targets[LABEL][row])]
        return f"{label}: {data.extras['files'][part][row]}"

    @cached_property
    def _found(self) -> Found:
        return find(self.path)

    @cached_property
    def _files(self) -> list[Path]:
        return [file for part in self._found.parts.values() for file in part.files]

    @cached_property
    def _labels(self) -> Tensor:
        return torch.tensor([label for part in self._found.parts.values() for label in part.labels])

    @cached_property
    def _index(self) -> dict[str, np.ndarray]:
        """Numbers of the files per part, in an order that mixes the classes; val's are the last for training."""
        random = np.random.default_rng(SEED)
        start, mixed = 0, {}
        for part, pictures in self._found.parts.items():
            mixed[part] = start + random.permutation(len(pictures.files))
            start += len(pictures.files)
        train, test = (mixed["train"], mixed["test"]) if "test" in mixed else cut(mixed["train"], self.test)
        return {"train": np.concatenate([train, mixed.get("val", train[:0])]), "test": test}

    @cached_property
    def _tensors(self) -> Mapping[str, Tensor]:
        """image: uint8 [train + test, *shape]. sha256: uint8 [32], of it and the labels."""
        order = np.concatenate([self._index["train"], self._index["test"]])
        files = [self._files[i] for i in order]
        stats = [(self._found.root / file).stat() for file in files]
        key = {
            "encoding": ENCODING,
            "folder": str(self._found.root.resolve()),
            "files": [(str(f), s.st_size, s.st_mtime_ns) for f, s in zip(files, stats, strict=True)],
            "size": self.size,
            "color": self.color,
        }

        def make() -> dict[str, Tensor]:
            numbers = len(files) * int(np.prod(shape(self.size, self.color)))
            what = f"{self.path}: {len(files):,} pictures of {self.size[0]} x {self.size[1]} pixels"
            require(2 * numbers, what, "make them smaller with dataset.size, or take fewer")  # twice: one is written
            image = torch.from_numpy(decode_all(self._found.root, files, self.size, self.color))
            digest = hashlib.sha256(image.numpy().data)
            digest.update(self._labels[order].numpy().tobytes())
            digest.update("\0".join(self._found.classes).encode())
            return {"image": image, "sha256": torch.tensor(list(digest.digest()), dtype=torch.uint8)}

        return encoded("image_folder", key, make)

    def _say(self) -> None:
        """What was found, and what was not taken."""
        rows, found = self.spec.rows, self._found
        log.info(
            "%s: %s pictures for training, %s test pictures; %d classes: %s",
            self.path, f"{rows['train']:,}", f"{rows['test']:,}", len(found.classes), ", ".join(found.classes[:12]),
        )  # fmt: skip
        if "val" in found.parts:
            log.info(
                "the %s pictures of the validation folder are the last training rows: evaluation=holdout "
                "evaluation.validation=given holds out these",
                f"{len(found.parts['val'].files):,}",
            )
        if found.ignored:
            kinds = ", ".join(f"{n} {ending}" for ending, n in found.ignored.most_common(5))
            log.warning("%s: files that are no pictures in a class folder are ignored: %s", self.path, kinds)


def build(
    *,
    source: Source = "real",
    path: str = "",
    size: Count | list[Count] = 64,
    color: Color = "rgb",
    test: float | int = 0.2,
) -> ImageFolder:
    """Pictures as `path/CLASS/PICTURE`, or with `train` and `test` folders above the classes.

    size: pixels of height and width, or [height, width]; pictures are stretched to it. test: share or number of
    pictures taken as the test set, always the same, where there is no test folder. Raises ConfigError.
    """
    problems = check_source(source) + check_path(path, "a folder with a sub-folder per class") + check_test(test)
    if isinstance(size, list) and len(size) != 2:
        problems.append(Problem("dataset.size", f"expected one number or [height, width], received {size}"))
    refuse(problems)
    height, width = size if isinstance(size, list) else (size, size)
    return ImageFolder(path, (height, width), color, test)
