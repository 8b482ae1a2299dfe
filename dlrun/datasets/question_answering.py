"""A text and a question about it, one word is the answer: made sequences for two inputs (section 7.1.2)."""

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

TOPICS = 5  # of texts, and as many kinds of questions
WORDS = 2  # that each of them has of its own
SHARE = 0.7  # of the words of a sequence that are its topic's

Vocabulary = Annotated[int, Field(gt=2 * TOPICS * WORDS)]
"""Numbers of words, 0 for padding among them: enough for the words that tell."""
Answers = Annotated[int, Field(ge=TOPICS**2)]
"""Classes: enough for one to each pair of a topic and a kind of question."""


@dataclass
class QuestionAnswering(_made.Made):
    """See contracts.Dataset. `text` and `question`: tokens [N, length], none of them padding; `answer`: int64 [N].

    `Data.extras["topics"]`: by part, int64 [N, 2], the text's topic and the question's kind, where there are any.
    """

    source: Source
    n: int
    length: int
    vocabulary: int
    answers: int
    random: bool
    spec: DataSpec = field(init=False)

    def __post_init__(self) -> None:
        sequence = InputSpec((self.length,), "tokens", vocabulary=self.vocabulary)
        self.spec = DataSpec(
            inputs={"text": sequence, "question": sequence},
            targets={"answer": TargetSpec("multiclass", classes=self.answers)},
            rows={"train": self.n, "test": self.n},
        )

    def load(self) -> Data:
        """Makes all rows."""
        n = _made.rows_of(self.source, self.n)
        parts, topics = {}, {}
        for part, random in _made.generators().items():
            parts[part], topics[part] = self._random(n, random) if self.random else self._rows(n, random)
        return Data(self.spec, parts["train"], parts["test"], self.resolve_source(), extras={"topics": topics})

    def encode(self, raw: str) -> Rows:
        """One row from `{"text": …, "question": …}`, each words or a list of numbers."""
        return _named_inputs.row(raw, self.spec.inputs)

    def describe(self, data: Data, part: str, row: int) -> str:
        """The answer and the first words of the question and the text."""
        rows: Rows = getattr(data, part)
        shown = (
            _made_words.text(rows.inputs[name][row].tolist()[:8], self.vocabulary) for name in ("question", "text")
        )
        question, text = shown
        return f"answer {int(rows.targets['answer'][row])} to '{question} …' about '{text} …'"

    def _rows(self, n: int, random: np.random.Generator) -> tuple[Rows, np.ndarray]:
        topics = random.integers(0, TOPICS, (n, 2))
        shape = n, self.length
        # A word that tells a topic tells nothing in a question, and the other way round.
        text, question = (
            _made.tokens(random, shape, self.vocabulary, [side * TOPICS + topics[:, side]], SHARE, WORDS)
            for side in (0, 1)
        )
        pairs = TOPICS * topics[:, 0] + topics[:, 1]
        answer = pairs * (self.answers // TOPICS**2)
        return Rows({"text": text, "question": question}, {"answer": torch.from_numpy(answer)}), topics

    def _random(self, n: int, random: np.random.Generator) -> tuple[Rows, np.ndarray]:
        text, question = (_made.tokens(random, (n, self.length), self.vocabulary) for _ in range(2))
        answer = torch.from_numpy(random.integers(0, self.answers, n))
        return Rows({"text": text, "question": question}, {"answer": answer}), np.zeros((n, 0), np.int64)


def build(
    *,
    n: Count = 5000,
    length: Count = 100,
    vocabulary: Vocabulary = 10000,
    answers: Answers = 500,
    random: bool = False,
    source: Source = "real",
) -> QuestionAnswering:
    """A text is about one of 5 topics and a question is of one of 5 kinds; each has two words of its own, which
    are seven in ten of the sequence's. Topic and kind together make one of 25 answers, so whoever reads but one of
    the two inputs is right in one row of five, and whoever reads none in one of 25.

    n: rows for training, and as many for the test. length: words in a text, and in a question. vocabulary: words are
    numbers from 1 to below it. answers: classes, of which 25 occur. random: words and answers are drawn like dice, as
    the book does with n=1000: all classes occur and there is nothing to learn.
    source: there is no other real thing than the made rows; `sample` makes two hundred, marked as sample.
    """
    return QuestionAnswering(source, n, length, vocabulary, answers, random)
