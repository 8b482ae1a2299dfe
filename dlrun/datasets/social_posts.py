"""What posts tell of who wrote them: made sequences with three targets, age, income and gender (section 7.1.3)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
import torch
from pydantic import Field

from dlrun.contracts import Data, DataSpec, InputSpec, Rows, TargetSpec
from dlrun.datasets import _made, _made_words, _named_inputs
from dlrun.datasets._files import Source
from dlrun.types import Count

YOUNGEST, AGES = 18, 8  # years: to 25
INCOMES = 10
GENDERS = ("female", "male")
SHARE = 0.25  # of the words of a post that each of the three has
WORDS = 1  # that an age, an income group, a gender has of its own

Vocabulary = Annotated[int, Field(gt=(AGES + INCOMES + len(GENDERS)) * WORDS)]
"""Numbers of words, 0 for padding among them: enough for the words that tell."""


@dataclass
class SocialPosts(_made.Made):
    """See contracts.Dataset. `posts`: tokens [N, length], none of them padding; `age`: float32 [N], whole years;
    `income`: int64 [N], a group; `gender`: float32 [N], 1 is male."""

    source: Source
    n: int
    length: int
    vocabulary: int
    spec: DataSpec = field(init=False)

    def __post_init__(self) -> None:
        self.spec = DataSpec(
            inputs={"posts": InputSpec((self.length,), "tokens", vocabulary=self.vocabulary)},
            targets={
                "age": TargetSpec("regression", unit="years", standardize="train"),
                "income": TargetSpec("multiclass", classes=INCOMES),
                "gender": TargetSpec("binary", classes=2, labels=GENDERS),
            },
            rows={"train": self.n, "test": self.n},
        )

    def load(self) -> Data:
        """Makes all rows."""
        n = _made.rows_of(self.source, self.n)
        parts = {part: self._rows(n, random) for part, random in _made.generators().items()}
        return Data(self.spec, parts["train"], parts["test"], source=self.resolve_source())

    def encode(self, raw: str) -> Rows:
        """One row from words, or a list of their numbers."""
        return _named_inputs.row(raw, self.spec.inputs)

    def describe(self, data: Data, part: str, row: int) -> str:
        """Such as `female, 21 years, income group 4: 'zowipeta mesucece …'`."""
        rows: Rows = getattr(data, part)
        age, income, gender = (rows.targets[name][row] for name in self.spec.targets)
        posts = rows.inputs["posts"]
        assert isinstance(posts, torch.Tensor)
        text = _made_words.text(posts[row].tolist()[:8], self.vocabulary)
        return f"{GENDERS[int(gender)]}, {int(age)} years, income group {int(income)}: '{text} …'"

    def _rows(self, n: int, random: np.random.Generator) -> Rows:
        age, income, gender = (random.integers(0, count, n) for count in (AGES, INCOMES, len(GENDERS)))
        topics = [age, AGES + income, AGES + INCOMES + gender]
        posts = _made.tokens(random, (n, self.length), self.vocabulary, topics, SHARE, WORDS)
        targets = {
            "age": torch.from_numpy((YOUNGEST + age).astype(np.float32)),
            "income": torch.from_numpy(income),
            "gender": torch.from_numpy(gender.astype(np.float32)),
        }
        return Rows({"posts": posts}, targets)


def build(
    *, n: Count = 4000, length: Count = 300, vocabulary: Vocabulary = 50000, source: Source = "real"
) -> SocialPosts:
    """Posts of people from 18 to 25: each age, each of ten income groups and each gender has a word of its own, which
    is a quarter of what such people write. The three have nothing to do with each other.

    n: rows for training, and as many for the test. length: words in a row. vocabulary: words are numbers from 1 to
    below it.
    source: there is no other real thing than the made rows; `sample` makes two hundred, marked as sample.
    """
    return SocialPosts(source, n, length, vocabulary)
