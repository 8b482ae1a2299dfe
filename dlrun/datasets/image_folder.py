"""Your own pictures: a folder with one sub-folder per class."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from dlrun.contracts import Data, DataSpec, InputSpec, Rows, TargetSpec
from dlrun.datasets._files import Source
from dlrun.datasets._image_files import Files, Found, find
from dlrun.datasets._image_pixels import Color, check_size, decode, height_and_width, reason, shape
from dlrun.datasets._image_store import stored
from dlrun.datasets._parts import SEED, check_path, check_source, check_test, cut, refuse
from dlrun.errors import DataError
from dlrun.types import Count

log = logging.getLogger("dlrun")

IMAGE, LABEL = "image", "class"


@dataclass
class ImageFolder:
    """See contracts.Dataset. `image`: uint8 [N, H, W, 3], grey [N, H, W]; `class`: float32 [N] where there are
    two, int64 [N] where there are more.

    `Data.extras["files"]`: part -> path of each picture, below the folder.
    """

    path: str
    size: tuple[int, int]
    color: Color
    test: float | int
    skip_unreadable: bool

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
        digest = hashlib.sha256(bytes(self._tensors["sha256"].numpy()))
        digest.update(self._labels[self._order].numpy().tobytes())
        digest.update("\0".join(self._found.classes).encode())
        return digest.hexdigest()

    def resolve_source(self) -> Literal["real"]:
        """Always real."""
        return "real"

    def load(self) -> Data:
        """All pictures; decoded once, then mapped from the cache. Raises DataError."""
        readable = self._tensors["kept"].numpy()
        kept, last = self._order[readable], int((readable < len(self._index["train"])).sum())
        parts, names = {}, {}
        for part, rows in (("train", slice(last)), ("test", slice(last, None))):
            labels = self._labels[kept[rows]]
            target = labels.float() if len(self._found.classes) == 2 else labels
            parts[part] = Rows({IMAGE: self._tensors["image"][rows]}, {LABEL: target})
            names[part] = [str(self._files[i]) for i in kept[rows]]
        self._check(parts["train"].targets[LABEL])
        spec = replace(self.spec, rows={part: len(rows) for part, rows in parts.items()})
        apart = int(np.isin(kept, self._held_out).sum())
        self._say(spec.rows, apart)
        test = parts["test"] if len(parts["test"]) else None
        extras, checksums = {"files": names}, {self.path: self.fingerprint}
        return Data(spec, parts["train"], test, validation=apart, extras=extras, checksums=checksums)

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
    def _mixed(self) -> dict[str, np.ndarray]:
        """Numbers of the files of each folder's part, in an order that mixes the classes."""
        random = np.random.default_rng(SEED)
        start, mixed = 0, {}
        for part, pictures in self._found.parts.items():
            mixed[part] = start + random.permutation(len(pictures.files))
            start += len(pictures.files)
        return mixed

    @property
    def _held_out(self) -> np.ndarray:
        """Those of a validation folder, if there is one."""
        return self._mixed.get("val", np.arange(0))

    @cached_property
    def _index(self) -> dict[str, np.ndarray]:
        """Numbers of the files per part; val's are the last for training."""
        mixed = self._mixed
        train, test = (mixed["train"], mixed["test"]) if "test" in mixed else cut(mixed["train"], self.test)
        return {"train": np.concatenate([train, self._held_out]), "test": test}

    @property
    def _order(self) -> np.ndarray:
        """Numbers of all files, those for training first."""
        return np.concatenate([self._index["train"], self._index["test"]])

    @cached_property
    def _tensors(self) -> Mapping[str, Tensor]:
        """As `stored` has them, in `_order`."""
        files = [self._files[i] for i in self._order]
        stats = [(self._found.root / file).stat() for file in files]
        key = {
            "folder": str(self._found.root.resolve()),
            "files": [(str(f), s.st_size, s.st_mtime_ns) for f, s in zip(files, stats, strict=True)],
        }
        pictures = Files(self._found.root, files, self.path)
        return stored("image_folder", key, pictures, self.size, self.color, "bilinear", self.skip_unreadable)

    def _check(self, labels: Tensor) -> None:
        """Raises DataError where the pictures left out were all of a class."""
        left = set(labels.int().tolist())
        if empty := [name for i, name in enumerate(self._found.classes) if i not in left]:
            raise DataError(f"{self.path}: no picture of {', '.join(empty[:12])} is left for training")

    def _say(self, rows: Mapping[str, int], held_out: int) -> None:
        """What was found, and what was not taken."""
        found = self._found
        log.info(
            "%s: %s pictures for training, %s test pictures; %d classes: %s",
            self.path, f"{rows['train']:,}", f"{rows['test']:,}", len(found.classes), ", ".join(found.classes[:12]),
        )  # fmt: skip
        if held_out:
            log.info(
                "the %s pictures of the validation folder are the last training rows: evaluation=holdout "
                "evaluation.validation=given holds out these",
                f"{held_out:,}",
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
    skip_unreadable: bool = False,
) -> ImageFolder:
    """Pictures as `path/CLASS/PICTURE`, or with `train` and `test` folders above the classes.

    size: pixels of height and width, or [height, width]; pictures are stretched to it. test: share or number of
    pictures taken as the test set, always the same, where there is no test folder. skip_unreadable: leave out what
    can't be read, which is an error otherwise. Raises ConfigError.
    """
    problems = check_source(source) + check_path(path, "a folder with a sub-folder per class") + check_test(test)
    problems += check_size(size)
    refuse(problems)
    return ImageFolder(path, height_and_width(size), color, test, skip_unreadable)
