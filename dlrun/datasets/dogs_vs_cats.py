"""Photographs of cats and dogs, the book's 4,000 of Kaggle's 25,000 (section 5.2.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from dlrun.contracts import Data, DataSpec, InputSpec, Rows, TargetSpec
from dlrun.datasets._cache import encoded
from dlrun.datasets._dogs_vs_cats_files import LABELS, Numbered, Numbers, in_archive, in_folder
from dlrun.datasets._dogs_vs_cats_sample import draw
from dlrun.datasets._files import File, Source, checksum, fetch, resolve
from dlrun.datasets._image_pixels import Interpolation, check_size, decode, height_and_width, reason
from dlrun.datasets._image_store import stored
from dlrun.datasets._parts import refuse
from dlrun.errors import DataError, Problem
from dlrun.types import Count, Natural

SUBSET = File(  # the book's pictures in its folders; they may not be passed on, so they have no address
    "dogs_vs_cats",
    "cats_and_dogs_small.zip",
    None,
    "eff5b601b19b7e303a53b6e2b799e0fb212561426ca019d24cabeb38dd61853d",
    91_548_771,
)
OFFICIAL = File(
    "dogs_vs_cats",
    "kagglecatsanddogs_5340.zip",
    "https://download.microsoft.com/download/3/E/1/3E1C3F21-ECDB-4869-8368-6DEBA77B919F/kagglecatsanddogs_5340.zip",
    "b7974bd00a84a99921f36ee4403f089853777b5ae8d151c76a86e64900334af9",
    824_887_076,
)
FILES = ((SUBSET, OFFICIAL),)

SAMPLE = 1  # raise when the drawn pictures change
IMAGE, ANIMAL = "image", "animal"


@dataclass
class DogsVsCats:
    """See contracts.Dataset. `image`: uint8 [N, height, width, 3]; `animal`: float32 [N], 0 for a cat and 1 for a dog.

    The validation pictures are the last ones for training. `Data.extras["files"]`: part -> name of each picture.
    """

    source: Source
    path: str
    size: tuple[int, int]
    interpolation: Interpolation
    train: Numbers
    validation: Numbers
    test: Numbers
    skip_unreadable: bool
    _resolved: Literal["real", "sample"] | None = field(default=None, init=False)

    @property
    def spec(self) -> DataSpec:
        """As asked for; pictures left out because they can't be read are not known yet."""
        rows = {part: 2 * count for part, count in self._counts.items()}
        return DataSpec(
            {IMAGE: InputSpec((*self.size, 3), divide_by=255.0)},
            {ANIMAL: TargetSpec("binary", classes=2, labels=LABELS)},
            {"train": rows["train"] + rows["validation"], "test": rows["test"]},
        )

    @property
    def fingerprint(self) -> str | None:
        """Changes with the pictures of a user's own folder; those of the archives are pinned."""
        if not self.path or self.resolve_source() == "sample":
            return None
        return bytes(self._tensors["sha256"].numpy()).hex()

    def resolve_source(self) -> Literal["real", "sample"]:
        """Real, or sample where that was asked for or `auto` found no files."""
        if self._resolved is None:
            self._resolved = resolve(self.source, "dogs_vs_cats", lambda: self._pictures)
        return self._resolved

    def load(self) -> Data:
        """All pictures; decoded once, then mapped from the cache. Raises DataError."""
        if self.resolve_source() == "sample":
            return self._sample()
        kept, trained_on = self._tensors["kept"], self.spec.rows["train"]
        last = int((kept < trained_on).sum())
        labels = torch.tensor(self._pictures.labels, dtype=torch.float32)[kept]
        names = [self._pictures.names[i] for i in kept.tolist()]
        image = self._tensors["image"]
        train, test = Rows({IMAGE: image[:last]}, {ANIMAL: labels[:last]}), None
        if len(labels) > last:
            test = Rows({IMAGE: image[last:]}, {ANIMAL: labels[last:]})
        if len(train.targets[ANIMAL].unique()) < 2:
            raise DataError(f"{self._pictures.where}: pictures of one animal only are left for training")
        spec = DataSpec(self.spec.inputs, self.spec.targets, {"train": last, "test": len(labels) - last})
        files = {"train": names[:last], "test": names[last:]}
        return Data(spec, train, test, extras={"files": files}, checksums=self._checksums)

    def encode(self, raw: str) -> Rows:
        """One picture file as one row."""
        try:
            pixels = decode(Path(raw), self.size, "rgb", self.interpolation)
        except (OSError, ValueError) as error:
            raise DataError(f"expected the path of a picture file, received {raw!r}: {reason(error)}") from None
        return Rows({IMAGE: torch.from_numpy(pixels.copy())[None]}, {})

    def describe(self, data: Data, part: str, row: int) -> str:
        """The animal and the file."""
        label = LABELS[int(getattr(data, part).targets[ANIMAL][row])]
        return f"{label}: {data.extras['files'][part][row]}"

    @property
    def _counts(self) -> dict[str, int]:
        """File numbers in each part."""
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        return {part: end - start for part, (start, end) in parts.items()}

    @cached_property
    def _archive(self) -> Path:
        try:
            return fetch(SUBSET, OFFICIAL)
        except DataError as error:
            own = "set dataset.path to a folder with cat.N.jpg and dog.N.jpg in it, as Kaggle has them"
            raise DataError(f"{error}\n  - {own}") from None

    @cached_property
    def _pictures(self) -> Numbered:
        parts = (self.train, self.validation, self.test)
        return in_folder(self.path, parts) if self.path else in_archive(self._archive, parts)

    @property
    def _checksums(self) -> dict[str, str]:
        if self.path:
            return {self.path: self.fingerprint or ""}
        return {self._archive.name: checksum(self._archive)}

    @cached_property
    def _tensors(self) -> Mapping[str, Tensor]:
        """As `stored` has them."""
        key: dict[str, Any] = {"numbers": [self.train, self.validation, self.test]}
        if self.path:
            root = Path(self.path).expanduser()
            stats = [(root / name).stat() for name in self._pictures.names]
            files = [(n, s.st_size, s.st_mtime_ns) for n, s in zip(self._pictures.names, stats, strict=True)]
            key |= {"folder": str(root.resolve()), "files": files}
        else:
            key |= {"checksums": self._checksums}
        return stored("dogs_vs_cats", key, self._pictures, self.size, "rgb", self.interpolation, self.skip_unreadable)

    def _sample(self) -> Data:
        key = {"sample": SAMPLE, "size": self.size}
        columns = encoded("dogs_vs_cats", key, lambda: {n: torch.from_numpy(a) for n, a in draw(self.size).items()})
        parts = {
            part: Rows({IMAGE: columns[f"{part}_image"]}, {ANIMAL: columns[f"{part}_animal"]})
            for part in ("train", "test")
        }
        files = {part: [f"drawn picture {i}" for i in range(len(rows))] for part, rows in parts.items()}
        return Data(self.spec, parts["train"], parts["test"], source="sample", extras={"files": files})


def build(
    *,
    source: Source = "real",
    path: str = "",
    size: Count | list[Count] = 150,
    interpolation: Interpolation = "nearest",
    train: list[Natural],
    validation: list[Natural],
    test: list[Natural],
    skip_unreadable: bool = False,
) -> DogsVsCats:
    """The pictures of each part by the numbers in their files' names, the same of cats and dogs; no part overlaps
    another. The book's are 0 to 999, 1000 to 1499 and 1500 to 1999.

    path: a folder of your own with `cat.N.jpg` and `dog.N.jpg` in it, as Kaggle has them, or with `Cat/N.jpg` and
    `Dog/N.jpg`; without it the book's pictures or Microsoft's archive of all, wherever they can be had. size: pixels
    of height and width, or [height, width]; pictures are stretched to it. interpolation: `nearest` is what the book's
    Keras does. train, validation, test: the first number, and the one after the last; two equal ones for none.
    skip_unreadable: leave out what can't be read, which is an error otherwise. source: `sample` draws 300 and 100
    pictures. Raises ConfigError.
    """
    given = {"train": train, "validation": validation, "test": test}
    problems = check_size(size) + _check(given)
    refuse(problems)
    numbers = {part: (start, end) for part, (start, end) in given.items()}
    return DogsVsCats(source, path, height_and_width(size), interpolation, skip_unreadable=skip_unreadable, **numbers)


def _check(given: Mapping[str, list[int]]) -> list[Problem]:
    """What is wrong with the file numbers of the parts."""
    problems = []
    for part, numbers in given.items():
        least = int(part == "train")
        if len(numbers) != 2 or numbers[1] - numbers[0] < least:
            expected = "expected the first file number and the one after the last, such as [0, 1000]"
            problems.append(Problem(f"dataset.{part}", f"{expected}; received {numbers}"))
    if problems:
        return problems
    taken = sorted((start, end, part) for part, (start, end) in given.items() if start < end)
    for (_, end, before), (start, _, part) in pairwise(taken):
        if start < end:
            problems.append(Problem(f"dataset.{part}", f"file number {start} is in dataset.{before} too"))
    return problems
