"""A user's own dataset with three targets, those of the book's listing 7-3, and words for runs on it."""

from __future__ import annotations

PEOPLE = '''
    """Eight numbers of a person: how old, how rich, of which gender?"""
    from __future__ import annotations

    from dataclasses import dataclass

    import torch

    from dlrun.contracts import Data, DataSpec, InputSpec, Rows, TargetSpec
    from dlrun.types import Count


    @dataclass
    class People:
        n: int
        weighted: bool
        spec = DataSpec(
            {"traits": InputSpec((8,))},
            {
                "age": TargetSpec("regression", unit="years"),
                "income": TargetSpec("multiclass", classes=3, labels=("low", "middle", "high")),
                "gender": TargetSpec("binary", classes=2, labels=("male", "female")),
            },
        )

        def resolve_source(self):
            return "sample"

        def load(self):
            return Data(self.spec, self._rows(1, self.weighted), self._rows(2), source="sample")

        def encode(self, raw):
            return Rows({"traits": torch.tensor([[float(v) for v in raw.split(";")]])}, {})

        def describe(self, data, part, row):
            return str(row)

        def _rows(self, seed, weighted=False):
            generator = torch.Generator().manual_seed(seed)
            x = torch.randn(self.n, 8, generator=generator)
            age = 4 + x[:, 0] - x[:, 1]
            income = (x[:, 2:5].argmax(1) * (x[:, 5] > -0.5)).long()
            gender = (x[:, 6] > 0.7).float()
            weights = torch.randint(4, (self.n,), generator=generator).float() if weighted else None
            return Rows({"traits": x}, {"age": age, "income": income, "gender": gender}, weights)


    def build(*, n: Count = 200, weighted: bool = False, source: str = "sample") -> People:
        return People(n, weighted)
'''

FILES = {
    "datasets/people.py": PEOPLE,
    "configs/dataset/people.yaml": "# People.\nname: people\nn: 200\nweighted: false\nsource: sample\n",
}

WORDS = ["--plugins", "own", "dataset=people", "metrics=[auto]", "architecture.units=[4]", "trainer.batch_size=32",
         "trainer.epochs=2", "trainer.plots=false", "optimizer.lr=0.01"]  # fmt: skip

LISTING = ["loss=per_output", "loss.weights={age: 0.25, income: 1.0, gender: 10.0}"]
"""Listing 7-5."""

WEIGHED = [*LISTING, "dataset.weighted=true",
           "loss.class_weight={gender: balanced, income: {low: 1, middle: 0.5, high: 3}}"]  # fmt: skip
