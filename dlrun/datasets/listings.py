"""Second-hand clothes with facts, a description and a photo, what do they cost? Made data (figure 7-2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from dlrun.contracts import Column, Data, DataSpec, InputSpec, Rows, TargetSpec
from dlrun.datasets import _drawing, _made, _made_words, _named_inputs
from dlrun.datasets._files import Source
from dlrun.errors import DataError, available, nearest
from dlrun.types import Count

FACTS = {
    "category": {"hat": 15.0, "shirt": 20.0, "trousers": 30.0, "shoes": 40.0, "dress": 45.0, "coat": 60.0},
    "condition": {"worn": 0.0, "good": 10.0, "new": 20.0},
}
"""What each is worth, in €."""
NAMES = tuple(f"{fact}={value}" for fact, worth in FACTS.items() for value in worth)
GRADES, GRADE = 5, 8.0  # of praise in the description: 0 to 4, and € for each
STAINS, STAIN = 5, -7.0  # in the photo: 0 to 4, and € for each
PRICE = 30.0  # €, of what is worth nothing by any of these
NOISE = 3.0  # deviation of the price, in €

WORDS, SHARE = 3, 0.4  # that a grade has of its own, and how many of a description's words they are
DIRT = np.array([20, 15, 15], np.float32)
GRAIN = 6.0  # deviation in each colour of each pixel of the photo, of 255

Vocabulary = Annotated[int, Field(gt=GRADES * WORDS)]
"""Numbers of words, 0 for padding among them: enough for the words that tell."""


@dataclass
class Listings(_made.Made):
    """See contracts.Dataset. `metadata`: float32 [N, 9], one-hot facts; `description`: tokens [N, length]; `photo`:
    uint8 [N, size, size, 3]; `price`: float32 [N], in €.

    `Data.extras["worth"]`: by part, float64 [N, 3], what facts, description and photo add to the price.
    """

    source: Source
    n: int
    length: int
    vocabulary: int
    size: int
    spec: DataSpec = field(init=False)

    def __post_init__(self) -> None:
        self.spec = DataSpec(
            inputs={
                "metadata": InputSpec((len(NAMES),), names=NAMES),
                "description": InputSpec((self.length,), "tokens", vocabulary=self.vocabulary),
                "photo": InputSpec((self.size, self.size, 3), divide_by=255.0),
            },
            targets={"price": TargetSpec("regression", unit="€", standardize="train")},
            rows={"train": self.n, "test": self.n},
        )

    def load(self) -> Data:
        """Makes all rows."""
        n = _made.rows_of(self.source, self.n)
        parts, worth = {}, {}
        for part, random in _made.generators().items():
            parts[part], worth[part] = self._rows(n, random)
        return Data(self.spec, parts["train"], parts["test"], self.resolve_source(), extras={"worth": worth})

    def encode(self, raw: str) -> Rows:
        """One row from `{"metadata": {"category": "coat", "condition": "new"}, "description": …, "photo": PATH}`."""
        return _named_inputs.row(raw, self.spec.inputs, {"metadata": _facts})

    def describe(self, data: Data, part: str, row: int) -> str:
        """Price, facts, stains, and the first words of the description."""
        rows: Rows = getattr(data, part)
        metadata, description = rows.inputs["metadata"], rows.inputs["description"]
        assert isinstance(metadata, Tensor)
        assert isinstance(description, Tensor)
        facts = ", ".join(NAMES[i].partition("=")[2] for i in metadata[row].nonzero()[:, 0])
        stains = round(data.extras["worth"][part][row, 2] / STAIN)
        text = _made_words.text(description[row].tolist()[:6], self.vocabulary)
        return f"{float(rows.targets['price'][row]):.2f} €: {facts}, {stains} stain{'s' * (stains != 1)}, '{text} …'"

    def _rows(self, n: int, random: np.random.Generator) -> tuple[Rows, np.ndarray]:
        facts = [random.integers(0, len(worth), n) for worth in FACTS.values()]
        grade, stains = random.integers(0, GRADES, n), random.integers(0, STAINS, n)
        known = sum(np.array(list(worth.values()))[f] for worth, f in zip(FACTS.values(), facts, strict=True))
        worth = np.stack([known, GRADE * grade, STAIN * stains], 1)
        price = PRICE + worth.sum(1) + NOISE * random.standard_normal(n)
        one_hot = [np.eye(len(worth), dtype=np.float32)[f] for worth, f in zip(FACTS.values(), facts, strict=True)]
        inputs: dict[str, Column] = {
            "metadata": torch.from_numpy(np.concatenate(one_hot, 1)),
            "description": _made.tokens(random, (n, self.length), self.vocabulary, [grade], SHARE, WORDS),
            "photo": torch.from_numpy(self._photos(n, random, stains)),
        }
        return Rows(inputs, {"price": torch.from_numpy(price.astype(np.float32))}), worth

    def _photos(self, n: int, random: np.random.Generator, stains: np.ndarray) -> np.ndarray:
        """A bright garment before something darker, with so many dark stains [N], each at a place of its own."""
        size = self.size
        photos = np.empty((n, size, size, 3), np.uint8)
        paper = random.uniform(60, 110, (n, 3)).astype(np.float32)
        cloth = random.uniform(160, 245, (n, 3)).astype(np.float32)
        grain = _drawing.Grain(random, GRAIN, size)
        for i, count in enumerate(stains):
            canvas = np.full((size, size, 3), paper[i], np.float32)
            x, y = random.uniform(0.42, 0.58, 2) * size
            _drawing.paint(canvas, "square", (x, y), 0.5 * size, cloth[i])
            for place in random.permutation(9)[:count]:
                centre = x + (place % 3 - 1) * 0.22 * size, y + (place // 3 - 1) * 0.22 * size
                _drawing.paint(canvas, "circle", centre, 0.09 * size, DIRT)
            photos[i] = grain.developed(canvas)
        return photos


def _facts(given: Any, spec: InputSpec, name: str) -> Tensor:
    """`{"category": "coat", "condition": "new"}` to float32 [1, 9]. Raises DataError."""
    wanted = f"input '{name}': expected an object with {' and '.join(FACTS)}"
    if not isinstance(given, dict) or given.keys() != FACTS.keys():
        received = ", ".join(map(str, given)) or "none" if isinstance(given, dict) else repr(given)
        raise DataError(f"{wanted}; received {received}")
    for fact, value in given.items():
        if value not in list(FACTS[fact]):  # it may be anything, a list as well
            hint = f"{nearest(str(value), FACTS[fact])} {available(FACTS[fact])}".strip()
            raise DataError(f"input '{name}': no {fact} is called {value!r}. {hint}")
    chosen = {f"{fact}={value}" for fact, value in given.items()}
    return torch.tensor([[float(column in chosen) for column in spec.names]])


def build(
    *,
    n: Count = 2000,
    length: Count = 20,
    vocabulary: Vocabulary = 2000,
    size: Annotated[int, Field(ge=16)] = 32,
    source: Source = "real",
) -> Listings:
    """The price is 30 €, and what category and condition are worth (0 to 80 €), and 8 € for each of four grades of
    praise in the description, less 7 € for each of up to four stains in the photo, give or take 3 €. So each input
    has a part of it that no other one has.

    n: listings for training, and as many for the test. length: words in a description. vocabulary: words are numbers
    from 1 to below it. size: pixels on each side of a photo.
    source: there is no other real thing than the made rows; `sample` makes two hundred, marked as sample.
    """
    return Listings(source, n, length, vocabulary, size)
